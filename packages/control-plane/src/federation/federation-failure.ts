/** Why a bundle was not fetched, or not taken. */
export type FetchFailureCode =
  /** Nobody answers there, or not to the end. */
  | 'unreachable'
  | 'timeout'
  /** The two sides found no TLS in common. */
  | 'tls'
  /** Whoever answers is not the endpoint. */
  | 'wrong-endpoint'
  /** https_spiffe: no bundle of the endpoint's trust domain is held, so it cannot prove itself. */
  | 'no-bundle'
  /** The file of authorities for https_web cannot be read. */
  | 'web-ca'
  | 'redirect'
  | 'status'
  | 'too-large'
  /** What came is no bundle. */
  | 'malformed'
  /** Older than the bundle that is held. */
  | 'rollback'

/** A fetch that brought nothing. A value: the bundle held stays, and the next poll comes. */
export interface FetchFailure {
  readonly kind: 'failed'
  readonly code: FetchFailureCode
  readonly message: string
}

export function failFetch(code: FetchFailureCode, message: string): FetchFailure {
  return { kind: 'failed', code, message }
}
