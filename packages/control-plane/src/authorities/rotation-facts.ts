import type { ResourceKindName } from '@picket/rpc'
import type { Clock, Watch } from '@picket/runtime'
import type { AuthorityFact, RotationFacts, SidecarFact } from './rotation-step.ts'

/** A sidecar with an open stream, as far as a rotation asks. */
export interface RotatingSidecar {
  readonly spiffeId: string
  readonly instanceId: string
  readonly service: string
  readonly svidSerial: string
  /** Of the authorities that signed its SVIDs; empty while it has not said. */
  readonly authorityKeyIds: readonly string[]
  /** '' = none. */
  ackedRevision(kind: ResourceKindName): string
}

export interface SidecarFactsSources {
  /** The trust domain's bundle as it is pushed. */
  readonly trustBundle: Watch<{ readonly revision: string }>
  readonly authorities: Watch<readonly AuthorityFact[]>
  readonly sidecars: { connected(): readonly RotatingSidecar[]; readonly changed: Watch<number> }
  /** Who was connected before the start, as `SPIFFE_ID INSTANCE_ID`, as far as is known; undefined = there is nobody yet. */
  readonly expected: ReadonlySet<string> | undefined
}

/** Who has what, watched so that a sidecar between two streams is not mistaken for one that is gone. */
export interface SidecarFacts extends Disposable {
  read(): Pick<RotationFacts, 'sidecars' | 'settledAtMs'>
  /** Whether the bundle of this revision holds the authority. */
  holdsAuthority(revision: string, keyId: string): boolean
}

/**
 * How long a sidecar that loses its connection is waited for: one that is restarted meanwhile shall find an authority that
 * it knows, and its own SVID good.
 */
export const RECONNECT_GRACE_MS = 60_000
/** After a start: sidecars try again every ten seconds at least. */
export const START_GRACE_MS = 20_000
/** And those that nobody knew of are given this long in any case. */
export const START_LEAST_MS = 3000
/** Revisions of the bundle that a sidecar may still have acknowledged. */
const REVISIONS_KEPT = 64

export function createSidecarFacts(sources: SidecarFactsSources, clock: Pick<Clock, 'now'>): SidecarFacts {
  const { trustBundle, authorities, sidecars } = sources
  const startedMs = clock.now()
  const revisions = new Map<string, ReadonlySet<string>>()
  const expected = new Set(sources.expected)
  let present = new Map<string, RotatingSidecar>()
  const gone = new Map<string, { readonly sidecar: RotatingSidecar; readonly untilMs: number }>()

  /** Bundle and authorities change in one turn, one after the other: at its end they are in step. */
  function remember(): void {
    const { revision } = trustBundle.value
    revisions.delete(revision)
    revisions.set(revision, new Set(authorities.value.map(({ keyId }) => keyId)))
    for (const oldest of revisions.keys()) {
      if (revisions.size <= REVISIONS_KEPT) break
      revisions.delete(oldest)
    }
  }

  function look(): void {
    const nowMs = clock.now()
    const connected = new Map(sidecars.connected().map((sidecar) => [keyOf(sidecar), sidecar]))
    for (const [key, sidecar] of present) {
      if (!connected.has(key)) gone.set(key, { sidecar, untilMs: nowMs + RECONNECT_GRACE_MS })
    }
    for (const key of connected.keys()) {
      gone.delete(key)
      expected.delete(key)
    }
    const back = new Set([...connected.values()].map(svidOf))
    for (const [key, { sidecar, untilMs }] of gone) {
      // Restarted, it is another instance with the same SVID.
      if (untilMs <= nowMs || back.has(svidOf(sidecar))) gone.delete(key)
    }
    present = connected
  }

  function settledAtMs(): number {
    if (!sources.expected) return startedMs
    const isComplete = sources.expected.size > 0 && expected.size === 0
    return startedMs + (isComplete ? START_LEAST_MS : START_GRACE_MS)
  }

  const toFact = (sidecar: RotatingSidecar, awaitedUntilMs: number | undefined): SidecarFact => ({
    spiffeId: sidecar.spiffeId,
    instanceId: sidecar.instanceId,
    trusts: revisions.get(sidecar.ackedRevision('trust-bundle')) ?? new Set(),
    holds: sidecar.authorityKeyIds.length > 0 ? sidecar.authorityKeyIds : undefined,
    awaitedUntilMs,
  })

  remember()
  const subscriptions = new DisposableStack()
  subscriptions.use(trustBundle.subscribe(() => queueMicrotask(remember)))
  subscriptions.use(sidecars.changed.subscribe(look))
  return {
    read() {
      look()
      const here = [...present.values()].map((sidecar) => toFact(sidecar, undefined))
      const away = [...gone.values()].map(({ sidecar, untilMs }) => toFact(sidecar, untilMs))
      return { sidecars: [...here, ...away], settledAtMs: settledAtMs() }
    },
    holdsAuthority: (revision, keyId) => revisions.get(revision)?.has(keyId) ?? false,
    [Symbol.dispose]: () => subscriptions.dispose(),
  }
}

function keyOf({ spiffeId, instanceId }: RotatingSidecar): string {
  return `${spiffeId} ${instanceId}`
}

/** The serial number is what a sidecar says; the SPIFFE ID is proved, so that nobody passes for another. */
function svidOf({ spiffeId, svidSerial }: RotatingSidecar): string {
  return `${spiffeId} ${svidSerial}`
}
