import {
  createBundleSource,
  encodeTrustBundle,
  encodeTrustBundlePem,
  NO_REVOCATIONS,
  type BundleSource,
  type RevocationList,
  type TrustBundle,
} from '@picket/identity'
import type { Resource } from '@picket/rpc'
import { createWatch, messageOf, writeFileAtomic, type Logger, type Watch } from '@picket/runtime'
import { createResource } from '../resource.ts'

/** The trust domain's bundle in the forms that its readers want: a verifier's, a sidecar's. */
export interface TrustBundles {
  readonly source: Watch<BundleSource>
  readonly resource: Watch<Resource>
}

/** Both follow the issuer's bundle; what verifies by it also follows the deny-list. */
export function createTrustBundles(
  bundle: Watch<TrustBundle>,
  revocations: Watch<RevocationList> = createWatch(NO_REVOCATIONS),
): TrustBundles {
  const toSource = (): BundleSource => createBundleSource([bundle.value], revocations.value)
  const source = createWatch(toSource())
  const resource = createWatch(toResource(bundle.value))
  bundle.subscribe((changed) => {
    source.set(toSource())
    resource.set(toResource(changed))
  })
  revocations.subscribe(() => source.set(toSource()))
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
