import type { SecureContextOptions } from 'node:tls'
import { encodeCertificatesPem, encodePrivateKeyPem, type X509Svid } from '@picket/identity'
import { DEFAULT_KEY_EXCHANGE, KEY_EXCHANGE_PROFILES, type KeyExchangeProfile } from './key-exchange.ts'

/** How long after its full handshake a session may be resumed. */
export const SESSION_TIMEOUT_SECONDS = 300

/**
 * The TLS context of an SVID, or of a peer that has none yet: TLS 1.3 only, whole chain sent. `ca` is empty on purpose.
 * No list means the public web's roots; a list would pool trust domains, and Node drops the peer's intermediates after
 * OpenSSL could verify them (nodejs/node#65579). The price: no CA names in the certificate request, which clients with
 * one certificate do not look at.
 */
export function toSecureContextOptions(
  svid: X509Svid | undefined,
  keyExchange: KeyExchangeProfile = DEFAULT_KEY_EXCHANGE,
): SecureContextOptions {
  const common: SecureContextOptions = {
    ca: [],
    minVersion: 'TLSv1.3',
    sessionTimeout: SESSION_TIMEOUT_SECONDS,
    ecdhCurve: KEY_EXCHANGE_PROFILES[keyExchange],
  }
  if (!svid) return common
  return { ...common, cert: encodeCertificatesPem(svid.chain), key: encodePrivateKeyPem(svid.privateKey) }
}
