import {
  createBundleSource,
  encodeTrustBundle,
  encodeTrustBundlePem,
  type BundleSource,
  type TrustBundle,
} from '@picket/identity'
import type { Resource } from '@picket/rpc'
import { createWatch, messageOf, writeFileAtomic, type Logger, type Watch } from '@picket/runtime'
import { createResource } from './revision.ts'

/** The trust domain's bundle in the forms that its readers want: a verifier's, a sidecar's. */
export interface TrustBundles {
  readonly source: Watch<BundleSource>
  readonly resource: Watch<Resource>
}

/** Both follow the issuer's bundle. */
export function createTrustBundles(bundle: Watch<TrustBundle>): TrustBundles {
  const source = createWatch<BundleSource>(createBundleSource([bundle.value]))
  const resource = createWatch(toResource(bundle.value))
  bundle.subscribe((changed) => {
    source.set(createBundleSource([changed]))
    resource.set(toResource(changed))
  })
  return { source, resource }
}

function toResource(bundle: TrustBundle): Resource {
  return createResource('trust-bundle', Buffer.from(encodeTrustBundle(bundle)))
}

/** Keeps the bundle in a PEM file for whoever starts with nothing else; resolves when the present one is written. */
export async function keepBundleFile(
  path: string,
  bundle: Watch<TrustBundle>,
  logger: Logger,
  mode = 0o644,
): Promise<AsyncDisposable> {
  const write = (): Promise<void> => writeFileAtomic(path, encodeTrustBundlePem(bundle.value), mode)
  await write()
  let writing = Promise.resolve()
  const subscription = bundle.subscribe(() => {
    writing = writing
      .then(write)
      .catch((thrown: unknown) => logger.error('trust bundle is not written', { path, error: messageOf(thrown) }))
  })
  return {
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]()
      await writing
    },
  }
}
