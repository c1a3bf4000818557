import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseX509Svid,
  type X509Svid,
} from '@picket/identity'
import { RESOURCE_KINDS } from '@picket/rpc'
import { messageOf } from '@picket/runtime'
import { AgentError } from './error.ts'
import type { HeldResource, HeldResources } from './resources.ts'

/** All that a sidecar needs to serve while the control plane is away. */
export interface LastGood {
  readonly trustDomain: string
  /** SHA-256 of the pinned bundle file that this state descends from, hex. */
  readonly pin: string
  /** The default identity's first. */
  readonly svids: readonly X509Svid[]
  readonly resources: HeldResources
}

const FORMAT = 2
/** Knew one SVID. */
const FORMAT_BEFORE = 1

/** The plain bytes, before sealing: they hold a private key. */
export function encodeLastGood({ trustDomain, pin, svids, resources }: LastGood): Buffer {
  const held = Object.entries(resources).map(([kind, { revision, bytes }]: [string, HeldResource]) => [
    kind,
    { revision, content: bytes.toString('base64') },
  ])
  return Buffer.from(
    JSON.stringify({
      format: FORMAT,
      trustDomain,
      pin,
      svids: svids.map(({ chain, privateKey }) => ({
        chain: encodeCertificatesPem(chain),
        key: encodePrivateKeyPem(privateKey),
      })),
      resources: Object.fromEntries(held),
    }),
  )
}

/** The reverse, strictly: nothing of a file is taken when a part of it is not as written. Throws `ERR_LAST_GOOD`. */
export function decodeLastGood(bytes: Uint8Array): LastGood {
  try {
    const state = toObject(parseJson(Buffer.from(bytes).toString('utf8')))
    return {
      trustDomain: toText(state['trustDomain']),
      pin: toText(state['pin']),
      svids: decodeSvids(state),
      resources: decodeResources(toObject(state['resources'])),
    }
  } catch (cause) {
    throw new AgentError('ERR_LAST_GOOD', `not a state of this version: ${messageOf(cause)}`, { cause })
  }
}

function decodeSvids({ format, svid, svids }: Record<string, unknown>): readonly X509Svid[] {
  if (format === FORMAT_BEFORE) return svid === undefined ? [] : [decodeSvid(toObject(svid))]
  if (format !== FORMAT) throw new TypeError(`format ${String(format)} is not ${FORMAT}`)
  if (!Array.isArray(svids)) throw new TypeError('a list is missing')
  return svids.map((one) => decodeSvid(toObject(one)))
}

function decodeSvid({ chain, key }: Record<string, unknown>): X509Svid {
  return parseX509Svid(parseCertificatesPem(toText(chain)), parsePrivateKeyPem(toText(key)))
}

function decodeResources(resources: Record<string, unknown>): HeldResources {
  const held = RESOURCE_KINDS.filter((kind) => Object.hasOwn(resources, kind)).map((kind) => {
    const { revision, content } = toObject(resources[kind])
    return [kind, { revision: toText(revision), bytes: Buffer.from(toText(content), 'base64') }]
  })
  return Object.fromEntries(held) as HeldResources
}

/** The platform's own message would quote the text, which may be the private key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError('the text is not JSON')
  }
}

function toObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('an object is missing')
  return value as Record<string, unknown>
}

function toText(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a text is missing')
  return value
}
