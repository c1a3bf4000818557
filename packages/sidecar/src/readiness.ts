import type { BundleSource, X509Svid } from '@picket/identity'
import { createWatch, type Watch } from '@picket/runtime'
import type { SvidLife } from './svid-life.ts'

/** Why a sidecar is not ready. */
export type ReadinessReason =
  'no_svid' | 'svid_expired' | 'svid_expiring' | 'no_trust_bundle' | 'no_policy' | 'app_unreachable' | 'draining'

/** What readiness follows. */
export interface ReadinessConditions {
  readonly life: Watch<SvidLife>
  readonly svid: Watch<X509Svid>
  readonly bundles: Watch<BundleSource>
  /** Undefined: nothing to decide, there is no inbound. */
  readonly policy: Watch<object | undefined> | undefined
  readonly appReachable: Watch<boolean> | undefined
}

/** The reasons, empty when ready. Listeners hear each change of the set. */
export interface Readiness extends Watch<readonly ReadinessReason[]>, Disposable {
  follow(conditions: ReadinessConditions): void
  /** For good: a draining sidecar does not become ready again. */
  drain(): void
}

/** Starts without an SVID, until there are conditions to follow. */
export function createReadiness(): Readiness {
  const reasons = createWatch<readonly ReadinessReason[]>(['no_svid'])
  const subscriptions: Disposable[] = []
  let followed: ReadinessConditions | undefined
  let draining = false

  function update(): void {
    const next: readonly ReadinessReason[] = [
      ...(draining ? (['draining'] as const) : []),
      ...(followed ? reasonsOf(followed) : (['no_svid'] as const)),
    ]
    if (next.join() !== reasons.value.join()) reasons.set(next)
  }

  return {
    get value() {
      return reasons.value
    },
    subscribe: (listener) => reasons.subscribe(listener),
    follow(conditions) {
      followed = conditions
      const { life, svid, bundles, policy, appReachable } = conditions
      for (const watch of [life, svid, bundles, policy, appReachable]) {
        if (watch) subscriptions.push(watch.subscribe(update))
      }
      update()
    },
    drain() {
      draining = true
      update()
    },
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
    },
  }
}

function reasonsOf({ life, svid, bundles, policy, appReachable }: ReadinessConditions): ReadinessReason[] {
  const table: readonly (readonly [ReadinessReason, boolean])[] = [
    ['svid_expired', life.value === 'expired'],
    ['svid_expiring', life.value === 'critical'],
    ['no_trust_bundle', bundles.value.bundleFor(svid.value.id.trustDomain) === undefined],
    ['no_policy', policy !== undefined && policy.value === undefined],
    ['app_unreachable', appReachable?.value === false],
  ]
  return table.flatMap(([reason, applies]) => (applies ? [reason] : []))
}

/**
 * True when the sidecar does its work, be its app missing or its SVID in its last tenth: from then on an app may be
 * started behind it.
 */
export function isGuarding(
  reasons: readonly ReadinessReason[],
): reasons is readonly ('app_unreachable' | 'svid_expiring')[] {
  return reasons.every((reason) => reason === 'app_unreachable' || reason === 'svid_expiring')
}
