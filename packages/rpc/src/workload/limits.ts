/** What one process on the host may take of the sidecar that serves it. */
export const WORKLOAD_LIMITS = {
  /** Tokens and lists of names; nothing that a workload sends is larger. */
  requestBytes: 256 * 1024,
  /** A response holds every identity with the bundles of all trust domains that it federates with. */
  responseBytes: 64 * 1024 * 1024,
  connections: 1024,
  /** Calls of one connection at one time. */
  concurrentStreams: 100,
  /** A connection without a call is closed after this time. */
  idleMs: 600_000,
  /** New calls of one connection, and of all together: there are clients that ask for a token before each of their requests. */
  connectionCalls: { perSecond: 500, burst: 2000 },
  calls: { perSecond: 2000, burst: 8000 },
  /** Messages on one Envoy's stream. */
  streamMessages: { perSecond: 10, burst: 100 },
  /** In one token; an authority makes none for more. */
  audiences: 16,
  /** As long as a SPIFFE ID may be. */
  audienceBytes: 2048,
  tokenBytes: 64 * 1024,
  resourceNames: 256,
} as const
