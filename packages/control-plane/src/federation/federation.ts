import type { TrustBundle } from '@picket/identity'
import type { Caller, FederationHandlers } from '@picket/rpc'
import type { Clock, Watch } from '@picket/runtime'
import { createBundleFetcher } from './federation-fetcher.ts'
import { FederationKeeper, type FederationDeps } from './federation-keeper.ts'
import { answer } from '../rpc-answer.ts'
import type { ControlPlaneSettings } from '../settings.ts'
import { VERSION } from '../status.ts'

/**
 * The bundles of other trust domains, fetched from their endpoints and kept up to date. Each stands for itself: none is
 * merged with another or with our own (rules 49, 77). The last good bundle of a domain stays through failed fetches and
 * restarts; deleting its relationship withdraws it.
 */
export interface Federation extends AsyncDisposable {
  /** Trust domain → its last good bundle, which may be without keys; the own one is not among them. */
  readonly bundles: Watch<ReadonlyMap<string, TrustBundle>>
  readonly handlers: FederationHandlers
}

/** Takes up the relationships of the store and looks at every endpoint at once, as the settings have it. */
export function startFederation(
  deps: Omit<FederationDeps, 'fetch' | 'clock'> & { readonly clock: Clock },
  settings: Pick<ControlPlaneSettings, 'federationWebCa' | 'federationRedirects' | 'federationMinPoll'>,
): Promise<Federation> {
  const fetch = createBundleFetcher(deps, { ...settings, userAgent: `picket/${VERSION}` })
  return createFederation({ ...deps, fetch }, settings.federationMinPoll)
}

/** The same with a fetcher of the caller's own. */
export async function createFederation(deps: FederationDeps, minPollMs: number): Promise<Federation> {
  const keeper = new FederationKeeper(deps, minPollMs)
  await keeper.load()
  return {
    bundles: keeper.bundles,
    handlers: {
      set: (request, caller) => answer(keeper.set(request, nameOf(caller))),
      delete: (trustDomain, caller) => answer(keeper.delete(trustDomain, nameOf(caller))),
      list: () => keeper.list(),
      refresh: (trustDomain) => answer(keeper.refresh(trustDomain)),
    },
    [Symbol.asyncDispose]: () => keeper.stop(),
  }
}

function nameOf({ id, remote }: Caller): string {
  return id?.uri ?? remote
}
