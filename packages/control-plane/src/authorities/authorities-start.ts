import type { KeyAlgorithm, X509Svid } from '@picket/identity'
import type { AuthorityHandlers, Resource, RevocationHandlers } from '@picket/rpc'
import {
  createWatch,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import { createAuthorityCalls } from './authorities.ts'
import { toUpstreamFiles, upstreamEndsAtMs } from './authorities-upstream.ts'
import type { SvidStore } from '../registration/certificates.ts'
import type { EndpointStore } from '../sync/endpoints.ts'
import type { Issuer } from '../issuer.ts'
import {
  authorityKeySubject,
  createRevocations,
  type RevocationStore,
  type Revocations,
} from '../revocation/revocations.ts'
import { createRevocationCalls } from '../revocation/revocations-calls.ts'
import { startRotationDriver, type RotatableAuthority } from './rotation-driver.ts'
import { createSidecarFacts } from './rotation-facts.ts'
import type { ControlPlaneSettings } from '../settings.ts'
import type { SyncHub } from '../sync/sync.ts'

/** An authority that can be rotated, as the `ca` package has it. */
export type RotatableIssuer = Issuer & RotatableAuthority

interface AuthorityServiceDeps {
  readonly issuer: RotatableIssuer
  readonly store: RevocationStore & Pick<EndpointStore, 'loadEndpoints'> & Pick<SvidStore, 'countSvids'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: Tasks
}

/** What the streams are to carry; there before the streams are. */
export interface AuthorityService {
  readonly revocations: Revocations
  readonly svidAlgorithm: Watch<KeyAlgorithm>
  /** Begins to rotate, now that there are streams. */
  start(parts: AuthorityServiceParts, settings: ControlPlaneSettings): AuthorityServiceCalls
}

export interface AuthorityServiceParts {
  readonly sync: Pick<SyncHub, 'connected' | 'changed' | 'rotateWhere' | 'page'>
  readonly trustBundle: Watch<Resource>
  /** Picket's own: of the control plane, of the operator. */
  readonly own: readonly Watch<X509Svid>[]
}

export interface AuthorityServiceCalls extends Disposable {
  readonly authorities: AuthorityHandlers
  readonly revocations: RevocationHandlers
}

const ROTATION = 'picket rotation'
/** SPIFFE_Federation.md section 5: whoever polls at the bundle's hint has fetched it by then, one failure included. */
const HINTS_AWAITED = 3

/** The deny-list, the rotation of authorities, and the calls about both. */
export async function openAuthorityService(deps: AuthorityServiceDeps): Promise<AuthorityService> {
  const { issuer, store, clock } = deps
  const revocations = await createRevocations(deps)
  const svidAlgorithm = createWatch(issuer.svidAlgorithm)
  const hasIssued = (await store.countSvids()) > 0
  const known = (await store.loadEndpoints()).filter(({ expiresAtMs }) => expiresAtMs > clock.now())
  const expected = hasIssued ? new Set(known.map((one) => `${one.spiffeId} ${one.instanceId}`)) : undefined
  return {
    revocations,
    svidAlgorithm,
    start({ sync, trustBundle, own }, settings) {
      const { authorities } = issuer
      const facts = createSidecarFacts({ trustBundle, authorities, sidecars: sync, expected }, clock)
      const { rotationQuorum: quorum, rotationDeadline: deadlineMs } = settings
      const upstream = toUpstreamFiles(settings)
      const options = {
        quorum,
        deadlineMs,
        longestMs: { x509: settings.svidTtl, jwt: settings.jwtSvidTtl },
        publishMs: settings.bundleEndpoint ? HINTS_AWAITED * (issuer.bundle.value.refreshHintSeconds ?? 300) * 1000 : 0,
        ...(upstream && { upstreamEndsAtMs: () => upstreamEndsAtMs(upstream) }),
      }
      const denied = toDenied(revocations, clock)
      const shared = { ...deps, authority: issuer, facts, sidecars: sync }
      const driver = startRotationDriver({ ...shared, own, denied, svidAlgorithm }, options)
      const { connected, rotateWhere } = sync
      const sidecars = { connected, rotateWhere, known: () => allPages(sync) }
      return {
        authorities: createAuthorityCalls({ ...shared, driver, sidecars }, options),
        revocations: createRevocationCalls({ ...deps, revocations, sidecars: sync, own }),
        [Symbol.dispose]: () => facts[Symbol.dispose](),
      }
    },
  }
}

/** The deny-list as the rotation of a compromised key uses it. */
function toDenied(revocations: Revocations, clock: Clock) {
  return {
    has: (keyId: string) => revocations.find(authorityKeySubject(keyId)) !== undefined,
    add: (keyId: string, untilMs: number) =>
      revocations.add({
        subject: authorityKeySubject(keyId),
        reason: 'emergency rotation',
        createdAtMs: clock.now(),
        createdBy: ROTATION,
        expiresAtMs: untilMs,
      }),
  }
}

function allPages(sync: Pick<SyncHub, 'page'>) {
  const all = []
  let pageToken = ''
  do {
    const page = sync.page({ pageSize: 1000, pageToken })
    all.push(...page.sidecars)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return all
}
