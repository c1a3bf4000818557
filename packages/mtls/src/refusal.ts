import type { SvidRefusalCode } from '@picket/identity'
import { codeOf, messageOf } from '@picket/runtime'

/** Refusals that come from TLS itself; the rest are the SVID rules of `identity`. */
export type HandshakeRefusalCode =
  | 'no-certificate'
  | 'malformed-certificate'
  | 'wrong-id'
  | 'plaintext'
  | 'tls-version'
  | 'alpn'
  | 'key-exchange'
  | 'handshake-timeout'
  | 'connection-closed'
  | 'too-many-connections'
  | 'tls-error'

export type PeerRefusalCode = SvidRefusalCode | HandshakeRefusalCode

/** A peer that was not let in, or not spoken to. A value, never thrown. */
export interface PeerRefusal {
  readonly kind: 'refused'
  readonly code: PeerRefusalCode
  readonly message: string
  /** The rule that the chain broke, as `SvidRefusal` has it; none when TLS itself failed. */
  readonly rule?: string
}

export function refusePeer(code: PeerRefusalCode, message: string, rule?: string): PeerRefusal {
  return { kind: 'refused', code, message, ...(rule !== undefined && { rule }) }
}

const REFUSAL_OF_TLS_ERROR: Readonly<Record<string, readonly [HandshakeRefusalCode, string]>> = {
  ERR_SSL_HTTP_REQUEST: ['plaintext', 'plaintext HTTP on a TLS port'],
  ERR_SSL_HTTPS_PROXY_REQUEST: ['plaintext', 'plaintext HTTP CONNECT on a TLS port'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['plaintext', 'the first bytes are not TLS'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['plaintext', 'the first bytes are not TLS'],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ['tls-version', 'the peer does not speak TLS 1.3'],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ['alpn', 'no application protocol in common'],
  ERR_SSL_NO_SUITABLE_KEY_SHARE: ['key-exchange', 'no key exchange group in common'],
  ERR_SSL_NO_SUITABLE_GROUPS: ['key-exchange', 'no key exchange group in common'],
  ERR_TLS_HANDSHAKE_TIMEOUT: ['handshake-timeout', 'the handshake did not end in time'],
  ECONNRESET: ['connection-closed', 'the peer closed the connection during the handshake'],
  EPIPE: ['connection-closed', 'the peer closed the connection during the handshake'],
}

/** A failed handshake, as Node reports it, in our terms. */
export function toHandshakeRefusal(thrown: unknown): PeerRefusal {
  const code = codeOf(thrown)
  const known = code === undefined ? undefined : REFUSAL_OF_TLS_ERROR[code]
  return known ? refusePeer(...known) : refusePeer('tls-error', code ?? messageOf(thrown))
}
