import type { Clock } from '@picket/runtime'
import type { Method } from './contract.ts'
import { RpcError } from './rpc-error.ts'

/** What one connection, one caller and one message may take. */
export const LIMITS = {
  /** gRPC's own default, stated. */
  requestBytes: 4 * 1024 * 1024,
  /** The status of 20 000 sidecars, a page of the largest entries. */
  responseBytes: 16 * 1024 * 1024,
  concurrentStreams: 32,
  connections: 16_384,
  /** Of them one identity's: a thousand instances, each with room to move from one connection to the next, and again. */
  connectionsPerIdentity: 4096,
  /** Connections without a client certificate at one time, and how long each may live: time for one attestation. */
  anonymousConnections: 512,
  anonymousLifeMs: 30_000,
  idleMs: 120_000,
  handshakeTimeoutMs: 10_000,
  keepaliveMs: 20_000,
  keepaliveTimeoutMs: 10_000,
  /** Messages of one sidecar on its stream. */
  syncMessages: { perSecond: 200, burst: 1000 },
} as const

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/**
 * The calls that sign. A rate is one caller's: an identity's by name from wherever it calls, and an address's for those
 * who have none yet, behind which a whole site may stand. They are sized for a fleet that is made new at once; what
 * protects the control plane from all callers together is the number of calls at one time.
 */
const CALL_RATES: Partial<Record<Method, Rate & { readonly concurrent: number }>> = {
  'Certificates/Challenge': { perSecond: 200, burst: 2000, concurrent: 256 },
  'Certificates/Attest': { perSecond: 200, burst: 2000, concurrent: 256 },
  'Certificates/Issue': { perSecond: 500, burst: 2000, concurrent: 1024 },
  'Certificates/IssueJwt': { perSecond: 500, burst: 2000, concurrent: 1024 },
}

/** Callers whose rate is remembered at one time; the longest silent is forgotten first. */
const REMEMBERED_CALLERS = 10_000

/**
 * When all places are taken, those who are sent away are told to come back one after the other: not before the calls in
 * the places are over, and not faster than they can be served. Callers add a random part of their own.
 */
const BUSY_RETRY = { leastMs: 500, betweenMs: 1, mostMs: 60_000 } as const

export interface TokenBucket {
  /** False: over the rate. */
  take(): boolean
  /** How long until there is one to take. */
  readonly waitMs: number
}

export function createTokenBucket({ perSecond, burst }: Rate, clock: Clock): TokenBucket {
  let tokens = burst
  let filledMs = clock.monotonicMs()
  return {
    take() {
      const nowMs = clock.monotonicMs()
      tokens = Math.min(burst, tokens + ((nowMs - filledMs) / 1000) * perSecond)
      filledMs = nowMs
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    get waitMs() {
      return Math.max(0, ((1 - tokens) / perSecond) * 1000)
    },
  }
}

export interface CallLimiter {
  /** Counts one call of `key` (a SPIFFE ID, or an address for callers without one) until disposed. Throws `ERR_RPC_EXHAUSTED`. */
  enter(method: Method, key: string): Disposable
}

export function createCallLimiter(clock: Clock): CallLimiter {
  const buckets = new Map<string, TokenBucket>()
  const inFlight = new Map<Method, number>()
  /** When the last of those sent away was told to come back. */
  const lastTurn = new Map<Method, number>()

  function nextTurnMs(method: Method): number {
    const nowMs = clock.monotonicMs()
    const { leastMs, betweenMs, mostMs } = BUSY_RETRY
    const turnMs = Math.max(nowMs + leastMs, (lastTurn.get(method) ?? 0) + betweenMs)
    const boundedMs = Math.min(turnMs, nowMs + mostMs)
    lastTurn.set(method, boundedMs)
    return boundedMs - nowMs
  }

  function bucketOf(name: string, rate: Rate): TokenBucket {
    const bucket = buckets.get(name) ?? createTokenBucket(rate, clock)
    buckets.delete(name)
    buckets.set(name, bucket) // last in the map's order: the most recent
    if (buckets.size > REMEMBERED_CALLERS) buckets.delete(buckets.keys().next().value!)
    return bucket
  }

  return {
    enter(method, key) {
      const rate = CALL_RATES[method]
      if (!rate) return { [Symbol.dispose]() {} }
      const running = inFlight.get(method) ?? 0
      if (running >= rate.concurrent) throw exhausted(nextTurnMs(method))
      const bucket = bucketOf(`${method} ${key}`, rate)
      if (!bucket.take()) throw exhausted(bucket.waitMs)
      inFlight.set(method, running + 1)
      return { [Symbol.dispose]: () => void inFlight.set(method, inFlight.get(method)! - 1) }
    },
  }
}

function exhausted(retryAfterMs: number): RpcError {
  return new RpcError('ERR_RPC_EXHAUSTED', 'too many calls: try again later', { retryAfterMs })
}
