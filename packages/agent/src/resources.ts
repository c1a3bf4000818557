import type { TrustBundle } from '@picket/identity'
import type { PolicyStore } from '@picket/policy'
import {
  parseEndpoints,
  parseIdentities,
  parseServiceConfig,
  RESOURCE_KINDS,
  type Endpoints,
  type IdentityRecord,
  type Resource,
  type ResourceKindName,
  type ResourceRevision,
  type ServiceConfig,
} from '@picket/rpc'
import { createWatch, type Watch } from '@picket/runtime'
import { createTrust, type Trust } from './trust.ts'

/** A resource that was accepted, in the bytes that it came in. */
export interface HeldResource {
  /** '' = not pushed by revision, so it is asked for again. */
  readonly revision: string
  readonly bytes: Buffer
}

export type HeldResources = Readonly<Partial<Record<ResourceKindName, HeldResource>>>

/** What the control plane pushes, each kind at its newest good revision. */
export interface Resources extends Trust {
  /** What the evidence entitles to, the default identity first; empty until it was pushed. */
  readonly entitled: Watch<readonly IdentityRecord[]>
  readonly endpoints: Watch<Endpoints>
  readonly serviceConfig: Watch<ServiceConfig | undefined>
  readonly held: HeldResources
  readonly revisions: readonly ResourceRevision[]
  /**
   * Takes a resource over as a whole, or throws and leaves the one before in place: `ERR_TRUST_BUNDLE_ROLLBACK`,
   * `ERR_TRUST_BUNDLE_EMPTY`, `ERR_FEDERATED_BUNDLES`, and what the parsers and the policy store throw. The deny-list is
   * in force when the call returns, before the promise has settled.
   */
  accept(resource: Resource): Promise<void>
  /** What is held of this kind stays in force, but the next stream gets it again. */
  askAgain(kind: ResourceKindName): void
}

export function createResources(policy: Pick<PolicyStore, 'activate'>, pinned: TrustBundle): Resources {
  const trust = createTrust(pinned)
  const entitled = createWatch<readonly IdentityRecord[]>([])
  const endpoints = createWatch<Endpoints>({ services: [] })
  const serviceConfig = createWatch<ServiceConfig | undefined>(undefined)
  let held: HeldResources = {}

  const accepts = {
    'trust-bundle': (bytes) => trust.takeTrustBundle(bytes),
    'policy-bundle': async (bytes) => void (await policy.activate(bytes)),
    endpoints: (bytes) => endpoints.set(parseEndpoints(bytes)),
    'service-config': (bytes) => serviceConfig.set(parseServiceConfig(bytes)),
    identities(bytes) {
      const { identities } = parseIdentities(bytes)
      trust.setFederates(identities[0]?.federatesWith ?? [])
      entitled.set(identities)
    },
    'federated-bundles': (bytes) => trust.takeFederatedBundles(bytes),
    revocations: (bytes) => trust.takeRevocations(bytes),
  } satisfies Record<ResourceKindName, (bytes: Buffer) => void | Promise<void>>

  return {
    ...trust,
    entitled,
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
    askAgain(kind) {
      const present = held[kind]
      if (present) held = { ...held, [kind]: { ...present, revision: '' } }
    },
    async accept({ kind, revision, bytes }) {
      await accepts[kind](bytes)
      held = { ...held, [kind]: { revision, bytes } }
    },
  }
}
