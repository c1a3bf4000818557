import {
  createBundleSource,
  encodeTrustBundle,
  parseTrustBundle,
  type BundleSource,
  type TrustBundle,
} from '@picket/identity'
import type { PolicyStore } from '@picket/policy'
import {
  parseEndpoints,
  parseServiceConfig,
  RESOURCE_KINDS,
  type Endpoints,
  type Resource,
  type ResourceKindName,
  type ResourceRevision,
  type ServiceConfig,
} from '@picket/rpc'
import { createWatch, type Watch } from '@picket/runtime'
import { AgentError } from './error.ts'

/** A resource that was accepted, in the bytes that it came in. */
export interface HeldResource {
  /** '' = not pushed by revision, so it is asked for again. */
  readonly revision: string
  readonly bytes: Buffer
}

export type HeldResources = Readonly<Partial<Record<ResourceKindName, HeldResource>>>

/** What the control plane pushes, each kind at its newest good revision. */
export interface Resources {
  readonly trustBundle: Watch<TrustBundle>
  readonly bundles: Watch<BundleSource>
  readonly endpoints: Watch<Endpoints>
  readonly serviceConfig: Watch<ServiceConfig | undefined>
  readonly held: HeldResources
  readonly revisions: readonly ResourceRevision[]
  /**
   * Takes a resource over as a whole, or throws and leaves the one before in place: `ERR_TRUST_BUNDLE_ROLLBACK`,
   * `ERR_TRUST_BUNDLE_EMPTY`, and what the parsers and the policy store throw.
   */
  accept(resource: Resource): Promise<void>
}

export function createResources(policy: Pick<PolicyStore, 'activate'>, pinned: TrustBundle): Resources {
  const trustBundle = createWatch(pinned)
  const bundles = createWatch(createBundleSource([pinned]))
  const endpoints = createWatch<Endpoints>({ services: [] })
  const serviceConfig = createWatch<ServiceConfig | undefined>(undefined)
  let held: HeldResources = {}

  const accepts = {
    'trust-bundle': (bytes) => {
      const next = parseTrustBundle(bytes.toString('utf8'), pinned.trustDomain)
      refuseWorse(trustBundle.value, next)
      if (encodeTrustBundle(next) === encodeTrustBundle(trustBundle.value)) return
      trustBundle.set(next)
      bundles.set(createBundleSource([next]))
    },
    'policy-bundle': async (bytes) => void (await policy.activate(bytes)),
    endpoints: (bytes) => endpoints.set(parseEndpoints(bytes)),
    'service-config': (bytes) => serviceConfig.set(parseServiceConfig(bytes)),
    identities: () => {},
    'federated-bundles': () => {},
    revocations: () => {},
  } satisfies Record<ResourceKindName, (bytes: Buffer) => void | Promise<void>>

  return {
    trustBundle,
    bundles,
    endpoints,
    serviceConfig,
    get held() {
      return held
    },
    get revisions() {
      return RESOURCE_KINDS.flatMap((kind) => {
        const revision = held[kind]?.revision ?? ''
        return revision === '' ? [] : [{ kind, revision }]
      })
    },
    async accept({ kind, revision, bytes }) {
      await accepts[kind](bytes)
      held = { ...held, [kind]: { revision, bytes } }
    },
  }
}

/**
 * Whoever can replay an old bundle could bring a withdrawn authority back: the sequence number never goes down. A bundle
 * without authorities is a valid one, but with it this sidecar could not even verify the control plane that would send
 * the next.
 */
function refuseWorse(present: TrustBundle, next: TrustBundle): void {
  if (next.x509Authorities.length === 0) {
    throw new AgentError('ERR_TRUST_BUNDLE_EMPTY', 'the trust bundle holds no authority')
  }
  if (next.sequence >= present.sequence) return
  throw new AgentError(
    'ERR_TRUST_BUNDLE_ROLLBACK',
    `trust bundle sequence ${next.sequence} is older than ${present.sequence}, which is held`,
  )
}
