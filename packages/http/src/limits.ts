/** Every bound that the HTTP/1.1 front keeps, in one table. Both directions and all listeners share it. */
export interface HttpLimits {
  /** Longest head (start line and header fields), in bytes; beyond it 431 (from a caller) or 502 (from an upstream). */
  readonly headBytes: number
  /** Most header fields in a head. */
  readonly headers: number
  /** Longest request target, in bytes; beyond it 414. */
  readonly targetBytes: number
  /** Longest chunk extension of one chunk, in bytes. */
  readonly chunkExtensionBytes: number
  /** Longest trailer section, in bytes. */
  readonly trailerBytes: number
  /** Most interim (1xx) responses relayed before a final one. */
  readonly interimResponses: number
  /** First byte to complete head; a partial head is answered 408 then. */
  readonly headTimeoutMs: number
  /** Keep-alive: longest wait for the first byte of a request. */
  readonly idleTimeoutMs: number
  /** Longest pause inside a body, either direction. */
  readonly bodyIdleTimeoutMs: number
  /** Longest exchange from complete head to last response byte; 0 = unbounded. */
  readonly requestTimeoutMs: number
  /** A caller that ended its sending side while it waits for the answer is given this long (plain TCP only). */
  readonly halfCloseTimeoutMs: number
  /** Unread request body that is still read after an own answer; more closes the connection. */
  readonly drainBytes: number
  /** After a refusal the socket is read (and discarded) this long so that the answer is not lost to a reset. */
  readonly lingerMs: number
}

export const DEFAULT_LIMITS: HttpLimits = {
  headBytes: 65_536,
  headers: 100,
  targetBytes: 16_384,
  chunkExtensionBytes: 256,
  trailerBytes: 8_192,
  interimResponses: 16,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  bodyIdleTimeoutMs: 300_000,
  requestTimeoutMs: 0,
  halfCloseTimeoutMs: 10_000,
  drainBytes: 65_536,
  lingerMs: 2_000,
}
