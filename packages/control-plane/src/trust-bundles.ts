import { createBundleSource, encodeTrustBundle, type BundleSource, type TrustBundle } from '@picket/identity'
import type { Resource } from '@picket/rpc'
import { createWatch, type Watch } from '@picket/runtime'
import { createResource } from './revision.ts'

/** The trust domain's bundle in the forms that its readers want: a verifier's, a sidecar's. */
export interface TrustBundles {
  readonly source: Watch<BundleSource>
  readonly resource: Watch<Resource>
}

export function createTrustBundles(bundle: TrustBundle): TrustBundles {
  return {
    source: createWatch<BundleSource>(createBundleSource([bundle])),
    resource: createWatch(createResource('trust-bundle', Buffer.from(encodeTrustBundle(bundle)))),
  }
}
