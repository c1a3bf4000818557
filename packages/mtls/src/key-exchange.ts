import { MtlsError } from './error.ts'

/**
 * Which groups TLS may agree on its keys with, as lists in OpenSSL's syntax: `/` parts tiers of which a server takes the
 * first that the client knows, `*` marks the groups for which a client sends a key share at once. Hybrid groups join an
 * elliptic curve with ML-KEM: what is recorded today stays closed to a quantum computer of tomorrow.
 */
const HYBRID = ['X25519MLKEM768', 'SecP256r1MLKEM768', 'SecP384r1MLKEM1024'] as const
const CLASSICAL = ['X25519', 'P-256', 'P-384'] as const

export const KEY_EXCHANGE_PROFILES = {
  /** Elliptic curves alone. */
  classical: CLASSICAL.join(':'),
  /** A hybrid group with everyone who knows one, a curve with the rest: for that a key share goes along. */
  'hybrid-preferred': `*${HYBRID.join(':')}/*${CLASSICAL.join(':')}`,
  /** Nobody gets in without. */
  'hybrid-required': HYBRID.join(':'),
} as const satisfies Record<string, string>

export type KeyExchangeProfile = keyof typeof KEY_EXCHANGE_PROFILES

export const DEFAULT_KEY_EXCHANGE: KeyExchangeProfile = 'hybrid-preferred'

/** Throws `ERR_KEY_EXCHANGE`. */
export function parseKeyExchangeProfile(text: string): KeyExchangeProfile {
  if (Object.hasOwn(KEY_EXCHANGE_PROFILES, text)) return text as KeyExchangeProfile
  const names = Object.keys(KEY_EXCHANGE_PROFILES).join(', ')
  throw new MtlsError('ERR_KEY_EXCHANGE', `a key exchange profile is one of ${names}`)
}

export function isHybridGroup(group: string | undefined): boolean {
  return HYBRID.some((hybrid) => hybrid === group)
}
