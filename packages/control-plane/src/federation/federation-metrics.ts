import type { SkippedKey } from '@picket/identity'
import { messageOf, type Logger, type Metrics } from '@picket/runtime'
import type { FetchFailureCode } from './federation-failure.ts'
import type { Member, RelationshipStore } from './federation-member.ts'

export interface FederationMetrics {
  failed(trustDomain: string, code: FetchFailureCode): void
  /** A key of a fetched bundle that is of no use to us. */
  skipped(trustDomain: string, reason: SkippedKey): void
}

interface MetricsDeps {
  readonly metrics: Metrics
  readonly store: Pick<RelationshipStore, 'federatedNames'>
  readonly logger: Logger
}

/** One series to each relationship; the names come from the operator, so their number has a bound. */
export function createFederationMetrics(deps: MetricsDeps, members: () => Iterable<Member>): FederationMetrics {
  const { metrics } = deps
  measureMissing(deps, members)
  const known = new Set<string>()
  metrics.onRender(() => {
    const gone = new Set(known)
    for (const member of members()) {
      const { name } = member.relationship.trustDomain
      known.add(name)
      gone.delete(name)
      show(metrics, name, member)
    }
    for (const name of gone) show(metrics, name, undefined)
  })
  return {
    failed(name, code) {
      const help = 'Fetches of federated bundles that brought none, by reason'
      metrics.counter('picket_federation_fetch_failures_total', help, { trust_domain: name, code }).add()
    },
    skipped(name, reason) {
      const help = 'Keys of federated bundles that were passed over, by reason'
      metrics.counter('picket_federation_skipped_keys_total', help, { trust_domain: name, reason }).add()
    },
  }
}

/** The store answers later than a scrape may wait, so what is shown is what the scrape before found out. */
function measureMissing({ metrics, store, logger }: MetricsDeps, members: () => Iterable<Member>): void {
  const help = 'Trust domains that entries federate with and whose bundle is not held, as of the scrape before'
  const missing = metrics.gauge('picket_federation_missing_bundles', help)
  const count = async (): Promise<void> => {
    const held = new Set(
      [...members()].flatMap(({ relationship, bundle }) => (bundle ? relationship.trustDomain.name : [])),
    )
    missing.set((await store.federatedNames()).filter((name) => !held.has(name)).length)
  }
  metrics.onRender(() => {
    count().catch((thrown: unknown) => logger.warn('federated domains are not counted', { error: messageOf(thrown) }))
  })
}

/** NaN for a relationship that is no more: a series cannot be taken back, and no alert compares with NaN. */
function show(metrics: Metrics, name: string, member: Member | undefined): void {
  const set = (metric: string, help: string, value: number | undefined, labels: Record<string, string> = {}): void =>
    metrics.gauge(metric, help, { trust_domain: name, ...labels }).set(value ?? NaN)
  const { bundle } = member ?? {}
  const held = member && (bundle ? 1 : 0)
  set('picket_federation_bundle_held', 'Whether a bundle of this trust domain is held', held)
  const fetchedAt = member && member.fetchedAtMs / 1000
  set('picket_federation_last_success_timestamp_seconds', 'When its bundle was last fetched; 0 = never', fetchedAt)
  const failing = member && (member.failure ? 1 : 0)
  set('picket_federation_failing', 'Whether the last fetch failed', failing)
  set('picket_federation_bundle_sequence', 'Sequence number of the bundle held', bundle && Number(bundle.sequence))
  const authorities = 'Authorities in the bundle held'
  set('picket_federation_authorities', authorities, bundle?.x509Authorities.length, { kind: 'x509' })
  set('picket_federation_authorities', authorities, bundle?.jwtAuthorities.length, { kind: 'jwt' })
}
