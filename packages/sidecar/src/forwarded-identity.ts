import type { HeaderNameSet } from '@picket/http'
import type { VerifiedPeer } from '@picket/mtls'
import type { SpiffeId } from '@picket/identity'
import { REQUEST_ID_LENGTH, type RequestIds } from './request-id.ts'

/*
 * Who called, told to the app in headers that only the sidecar can set. Whatever the caller sent under these names is
 * removed first, also when spelled with underscores: CGI-like servers read both spellings as one name.
 */

/** Removed from every request before it is forwarded to the app. */
export const IDENTITY_HEADERS = createFoldedNameSet(['x-forwarded-client-cert', 'x-request-id'], 'x-picket-')

/** Removed from what the app behind this sidecar sends: calls keep their request ID, but carry no claims about identity. */
export const IDENTITY_CLAIMS = createFoldedNameSet(['x-forwarded-client-cert'], 'x-picket-')

/** Removed from the app's responses. */
export const OWN_RESPONSE_HEADERS = createFoldedNameSet(['x-request-id'], 'x-picket-')

/** The lines added to each request and response of a connection: constant but for the request ID. */
export interface ForwardedIdentity {
  readonly requestLines: Buffer
  /** `x-request-id: …` alone, for the response. */
  readonly responseLines: Buffer
  /** Where the ID's bytes start in `responseLines`. */
  readonly requestIdAt: number
  /** Puts a fresh ID into both. */
  nextRequestId(): void
  /** The present ID as text; for refusals. */
  requestId(): string
}

const REQUEST_ID_NAME = 'x-request-id: '

export function createForwardedIdentity(own: SpiffeId, peer: VerifiedPeer, ids: RequestIds): ForwardedIdentity {
  const id = `${REQUEST_ID_NAME}${'0'.repeat(REQUEST_ID_LENGTH)}\r\n`
  const identity = `x-forwarded-client-cert: ${toForwardedClientCert(own, peer)}\r\n`
  const requestLines = Buffer.from(identity + id, 'latin1')
  const responseLines = Buffer.from(id, 'latin1')
  const inRequest = identity.length + REQUEST_ID_NAME.length
  const inResponse = REQUEST_ID_NAME.length
  ids.writePrefix(requestLines, inRequest)
  ids.writePrefix(responseLines, inResponse)
  return {
    requestLines,
    responseLines,
    requestIdAt: inResponse,
    nextRequestId() {
      ids.next(responseLines, inResponse)
      responseLines.copy(requestLines, inRequest, inResponse, inResponse + REQUEST_ID_LENGTH)
    },
    requestId: () => responseLines.toString('latin1', inResponse, inResponse + REQUEST_ID_LENGTH),
  }
}

/** One element of Envoy's `x-forwarded-client-cert`: `By`, `Hash` (SHA-256 of the leaf, hex) and `URI`. */
export function toForwardedClientCert(own: SpiffeId, { id, leaf }: VerifiedPeer): string {
  const pairs = [`By=${quote(own.uri)}`, `Hash=${leaf.fingerprintSha256}`, `URI=${quote(id.uri)}`]
  return pairs.join(';')
}

/** Values that hold a separator are quoted, quotes inside are escaped with a backslash. */
export function quote(value: string): string {
  return /[,;="]/.test(value) ? `"${value.replaceAll('"', '\\"')}"` : value
}

/** The names, in any case and with `_` for `-`, and every name that starts with `prefix`. All start with `x`. */
export function createFoldedNameSet(names: readonly string[], prefix: string): HeaderNameSet {
  const spelled = names.map((name) => Buffer.from(name, 'latin1'))
  const prefixBytes = Buffer.from(prefix, 'latin1')
  return {
    names,
    idOf(bytes, start, end) {
      const length = end - start
      if (length < 2 || (bytes[start]! | 0x20) !== LOWER_X || fold(bytes[start + 1]!) !== DASH) return 0
      for (let index = 0; index < spelled.length; index++) {
        const name = spelled[index]!
        if (name.length === length && startsFolded(bytes, start, name)) return index + 1
      }
      return length >= prefixBytes.length && startsFolded(bytes, start, prefixBytes) ? spelled.length + 1 : 0
    },
  }
}

const LOWER_X = 0x78
const DASH = 0x2d
const UNDERSCORE = 0x5f

function fold(byte: number): number {
  if (byte === UNDERSCORE) return DASH
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}

function startsFolded(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (fold(bytes[start + i]!) !== name[i]) return false
  return true
}
