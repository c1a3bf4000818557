import { verifyJwtSvid, type BundleSource } from '@picket/identity'
import { RpcError, type JwtSvidEntry, type JwtSvidRequest, type Standing, type WorkloadHandlers } from '@picket/rpc'
import type { Clock, Logger, Watch } from '@picket/runtime'
import { identitiesOf, noIdentity, type WorkloadCaller } from './workload-caller.ts'
import { createJwtSvidCache, type JwtSvidCache } from './workload-jwt.ts'
import type { WorkloadIdentity, WorkloadSource } from './workload-source.ts'
import {
  toJwtBundleState,
  toSecretState,
  toX509BundleState,
  toX509SvidState,
  visibleBundles,
} from './workload-states.ts'

export interface WorkloadHandlerDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Undefined while the sidecar starts: callers are told to come back. */
  readonly source: Watch<WorkloadSource | undefined>
  /** Ends what is underway at the stop. */
  readonly lifetime: AbortSignal
}

/** The Workload API's answers, each cut to what the caller may know. */
export function createWorkloadHandlers(deps: WorkloadHandlerDeps): WorkloadHandlers<WorkloadCaller> {
  const { clock } = deps
  const tokens = createTokens(deps)

  function present(): WorkloadSource {
    const { value } = deps.source
    if (!value) throw starting()
    return value
  }

  /** Throws what refuses the caller: `ERR_RPC_UNAVAILABLE`, `ERR_RPC_DENIED`. */
  function ownIdentities({ identities }: WorkloadSource, caller: WorkloadCaller): readonly WorkloadIdentity[] {
    const own = identitiesOf(identities.value, caller)
    if (own.length === 0) throw noIdentity()
    const now = clock.now()
    const valid = own.filter(({ svid }) => svid.notAfter.getTime() > now)
    if (valid.length === 0)
      throw new RpcError('ERR_RPC_UNAVAILABLE', 'the SVID has expired and no newer one is there yet')
    return valid
  }

  /** What `tell` makes of the caller's identities, again whenever something that it is made of changes. */
  function standing<State>(
    caller: WorkloadCaller,
    tell: (own: readonly WorkloadIdentity[], bundles: BundleSource, crl: Buffer | undefined) => State,
  ): Standing<State> {
    const { value: source } = deps.source
    if (!source) return { value: starting(), subscribe: () => ({ [Symbol.dispose]() {} }) }
    const { identities, bundles, crl } = source
    return {
      get value() {
        try {
          return tell(ownIdentities(source, caller), bundles.value, crl.value)
        } catch (thrown) {
          if (thrown instanceof RpcError) return thrown
          throw thrown
        }
      },
      subscribe(changed) {
        const subscriptions = [identities, bundles, crl].map((watch) => watch.subscribe(changed))
        return { [Symbol.dispose]: () => subscriptions.forEach((subscription) => subscription[Symbol.dispose]()) }
      },
    }
  }

  return {
    x509Svids: (caller) => standing(caller, toX509SvidState),
    x509Bundles: (caller) => standing(caller, toX509BundleState),
    jwtBundles: (caller) => standing(caller, toJwtBundleState),
    secrets: (caller) => standing(caller, toSecretState),
    // oxlint-disable-next-line typescript/require-await -- what is thrown here must reject
    async fetchJwtSvids(request, caller) {
      const source = present()
      return fetchJwtSvids(tokens(source), ownIdentities(source, caller), request)
    },
    // oxlint-disable-next-line typescript/require-await
    async validateJwtSvid({ token, audience }, caller) {
      const source = present()
      const bundles = visibleBundles(ownIdentities(source, caller), source.bundles.value)
      const verdict = verifyJwtSvid(token, bundles, audience, new Date(clock.now()))
      if (verdict.kind === 'refused') throw new RpcError('ERR_RPC_INVALID', verdict.message, { reason: verdict.code })
      return { spiffeId: verdict.id.uri, claims: verdict.claims }
    },
  }
}

/** The tokens of a source, forgotten when its bundles change: a key may have been withdrawn. */
function createTokens(deps: WorkloadHandlerDeps): (source: WorkloadSource) => JwtSvidCache {
  let cache: JwtSvidCache | undefined
  return (source) => {
    if (!cache) {
      const created = createJwtSvidCache(deps, (...request) => source.issueJwt(...request), deps.lifetime)
      const subscription = source.bundles.subscribe(() => created.clear())
      deps.lifetime.addEventListener('abort', () => subscription[Symbol.dispose](), { once: true })
      cache = created
    }
    return cache
  }
}

function fetchJwtSvids(
  tokens: JwtSvidCache,
  own: readonly WorkloadIdentity[],
  { audience, spiffeId }: JwtSvidRequest,
): Promise<readonly JwtSvidEntry[]> {
  const wanted = spiffeId === undefined ? own : own.filter(({ svid }) => svid.id.uri === spiffeId)
  if (wanted.length === 0) throw new RpcError('ERR_RPC_DENIED', 'the requested SPIFFE ID is not one of the caller')
  return Promise.all(
    wanted.map(async ({ svid, hint }) => ({
      spiffeId: svid.id.uri,
      token: await tokens.get(svid.id, audience),
      hint,
    })),
  )
}

function starting(): RpcError {
  return new RpcError('ERR_RPC_UNAVAILABLE', 'the sidecar has no identity yet: try again later')
}
