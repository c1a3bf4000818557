import type { SpiffeId } from '@picket/identity'
import { RpcError } from '@picket/rpc'
import { codeOf, messageOf, type Clock, type Logger } from '@picket/runtime'
import type { IssuedJwtSvid, WorkloadSource } from './workload-source.ts'

export interface JwtSvidCache {
  /** A token for exactly this audience. Rejects with an `RpcError` that a workload may see. */
  get(id: SpiffeId, audience: readonly string[]): Promise<string>
  /** Forgets all, when the keys that signed them may no longer count. */
  clear(): void
}

interface Held extends IssuedJwtSvid {
  readonly renewAtMs: number
}

const MAX_TOKENS = 1000
/** Tokens on their way at one time: workloads choose their audiences. */
const MAX_UNDERWAY = 1000
const ISSUE_TIMEOUT_MS = 10_000

/**
 * Tokens are handed out again until half of their life is over, so that a workload that asks for one at each request costs
 * the authority nothing. Whoever asks while a token is on its way waits for that one. While no newer one can be had, the
 * old one is given as long as it is valid.
 */
export function createJwtSvidCache(
  deps: { readonly clock: Clock; readonly logger: Logger },
  issue: WorkloadSource['issueJwt'],
  lifetime: AbortSignal,
): JwtSvidCache {
  const { clock, logger } = deps
  const held = new Map<string, Held>()
  const underway = new Map<string, Promise<string>>()
  let generation = 0

  async function renew(key: string, id: SpiffeId, audience: readonly string[]): Promise<string> {
    const asked = generation
    try {
      const { token, expiresAtMs } = await issueInTime(id, audience)
      const now = clock.now()
      if (asked === generation) keep(key, { token, expiresAtMs, renewAtMs: now + (expiresAtMs - now) / 2 })
      return token
    } catch (thrown) {
      const old = held.get(key)
      logger.warn('no JWT-SVID could be had', {
        id: id.uri,
        code: codeOf(thrown),
        error: messageOf(thrown),
        older: Boolean(old),
      })
      if (old && clock.now() < old.expiresAtMs) return old.token
      throw toCallerError(thrown)
    } finally {
      if (asked === generation) underway.delete(key)
    }
  }

  async function issueInTime(id: SpiffeId, audience: readonly string[]): Promise<IssuedJwtSvid> {
    const late = new AbortController()
    using _deadline = clock.after(ISSUE_TIMEOUT_MS, () => late.abort(new Error('the control plane does not answer')))
    return await issue(id, audience, AbortSignal.any([lifetime, late.signal]))
  }

  function keep(key: string, token: Held): void {
    held.delete(key)
    held.set(key, token) // last in the map's order: the newest
    if (held.size > MAX_TOKENS) held.delete(held.keys().next().value!)
  }

  return {
    get(id, audience) {
      const key = JSON.stringify([id.uri, ...[...audience].sort()])
      const present = held.get(key)
      if (present && clock.now() < present.renewAtMs) return Promise.resolve(present.token)
      const before = underway.get(key)
      if (before) return before
      if (underway.size >= MAX_UNDERWAY) return Promise.reject(busy())
      const renewal = renew(key, id, audience)
      underway.set(key, renewal)
      return renewal
    },
    clear() {
      generation += 1
      held.clear()
      underway.clear()
    },
  }
}

function busy(): RpcError {
  return new RpcError('ERR_RPC_UNAVAILABLE', 'too many JWT-SVIDs are on their way: try again later')
}

/** Of all that can go wrong behind us a workload sees four: not yours, not so, not here, not now (rule 55). */
function toCallerError(thrown: unknown): RpcError {
  const code = codeOf(thrown)
  if (code === 'ERR_RPC_DENIED')
    return new RpcError('ERR_RPC_DENIED', 'the control plane denies a JWT-SVID', { cause: thrown })
  if (code === 'ERR_RPC_INVALID')
    return new RpcError('ERR_RPC_INVALID', 'the control plane makes no JWT-SVID for this audience', { cause: thrown })
  if (code === 'ERR_RPC_UNIMPLEMENTED') return thrown as RpcError
  return new RpcError('ERR_RPC_UNAVAILABLE', 'no JWT-SVID can be had now: try again later', { cause: thrown })
}
