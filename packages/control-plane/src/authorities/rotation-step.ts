import type { AuthorityKind, AuthoritySlot, RotationIntent } from '@picket/ca'
import type { KeyAlgorithm } from '@picket/identity'
import type { Laggard, RotationPhase } from '@picket/rpc'

/**
 * What a rotation does next: a pure function of what was asked for and of what is. Nothing is remembered between two steps
 * but the intent and the authorities, which are on the disk, so that a control plane that was killed goes on where it
 * was. Two gates hold the mesh together: an authority signs only when every connected sidecar has acknowledged a bundle
 * with it, and an old one leaves the bundle only when no connected sidecar holds an SVID of it.
 */
export type RotationStep =
  | { readonly kind: 'prepare'; readonly of: AuthorityKind; readonly algorithm: KeyAlgorithm | undefined }
  | { readonly kind: 'wait'; readonly gate: RotationGate }
  | {
      readonly kind: 'activate'
      readonly of: AuthorityKind
      readonly keyId: string
      readonly because: GateOpening
      readonly laggards: readonly Laggard[]
    }
  | { readonly kind: 'set-svid-algorithm'; readonly algorithm: KeyAlgorithm }
  | { readonly kind: 'taint'; readonly of: AuthorityKind; readonly keyId: string }
  /** Nobody may rely on it any more, also who has an older bundle. */
  | { readonly kind: 'deny'; readonly keyId: string; readonly untilMs: number }
  | {
      readonly kind: 'revoke'
      readonly of: AuthorityKind
      readonly keyId: string
      readonly laggards: readonly Laggard[]
    }
  | { readonly kind: 'done' }

/** Why a gate lets a rotation through. */
export type GateOpening = 'acknowledged' | 'quorum' | 'deadline' | 'end-of-life'

export interface RotationGate {
  readonly phase: 'distributing' | 'reissuing'
  readonly connected: number
  readonly followed: number
  readonly laggards: readonly Laggard[]
  /** When it goes on without the laggards. */
  readonly deadlineAtMs: number | undefined
  /** When time alone changes the verdict. */
  readonly lookAgainAtMs: number | undefined
  /** Reissuing: whoever holds an SVID of one of these is to renew. */
  readonly retiring: readonly string[]
}

export type AuthorityFact = Pick<
  AuthoritySlot,
  'kind' | 'keyId' | 'algorithm' | 'state' | 'tainted' | 'preparedAt' | 'activatedAt' | 'notAfter'
>

export interface SidecarFact {
  readonly spiffeId: string
  readonly instanceId: string
  /** The authorities in the bundle that it has acknowledged. */
  readonly trusts: ReadonlySet<string>
  /** The authorities that signed its SVIDs; undefined = it has not said yet. */
  readonly holds: readonly string[] | undefined
  /** Set for one whose stream has just ended: until then it is waited for as if it were connected. */
  readonly awaitedUntilMs: number | undefined
}

export interface RotationFacts {
  readonly nowMs: number
  readonly authorities: readonly AuthorityFact[]
  readonly svidAlgorithm: KeyAlgorithm
  readonly sidecars: readonly SidecarFact[]
  /** Right after a start sidecars are still coming back: nothing is concluded from who is connected before this. */
  readonly settledAtMs: number
  /** The authorities that signed Picket's own SVIDs. */
  readonly own: readonly string[]
  /** Authority keys on the deny-list. */
  readonly denied: Pick<ReadonlySet<string>, 'has'>
  readonly longestMs: Readonly<Record<AuthorityKind, number>>
  /** How long federated trust domains, which fetch the bundle and acknowledge nothing, may take to know an authority. */
  readonly publishMs: number
}

export function nextRotationStep(intent: RotationIntent, facts: RotationFacts): RotationStep {
  return nextToActivation(intent, facts) ?? nextToRetirement(intent, facts)
}

/** What the step belongs to, for those who watch. */
export function phaseOf(step: RotationStep): RotationPhase {
  switch (step.kind) {
    case 'prepare':
      return 'preparing'
    case 'wait':
      return step.gate.phase
    case 'activate':
    case 'set-svid-algorithm':
      return 'activating'
    case 'taint':
      return 'tainting'
    case 'deny':
    case 'revoke':
      return 'revoking'
    case 'done':
      return 'done'
  }
}

function nextToActivation(intent: RotationIntent, facts: RotationFacts): RotationStep | undefined {
  const due = intent.kinds.filter((kind) => intent.replaces.includes(find(facts, kind, 'active')?.keyId ?? ''))
  const unprepared = due.find((kind) => !isPrepared(intent, facts, kind))
  if (unprepared) return { kind: 'prepare', of: unprepared, algorithm: algorithmFor(intent, unprepared) }
  const [first] = due
  if (first) {
    const prepared = due.map((kind) => find(facts, kind, 'prepared')!)
    const { because, gate } = distribution(intent, facts, due, prepared)
    if (!because) return { kind: 'wait', gate }
    return { kind: 'activate', of: first, keyId: prepared[0]!.keyId, because, laggards: gate.laggards }
  }
  const { svidAlgorithm: algorithm } = intent
  if (algorithm === undefined || algorithm === facts.svidAlgorithm) return undefined
  return { kind: 'set-svid-algorithm', algorithm }
}

function nextToRetirement(intent: RotationIntent, facts: RotationFacts): RotationStep {
  if (!intent.retire) return { kind: 'done' }
  const old = facts.authorities.filter(({ kind, state }) => state === 'old' && intent.kinds.includes(kind))
  const untainted = old.find(({ tainted }) => !tainted)
  if (untainted) return { kind: 'taint', of: untainted.kind, keyId: untainted.keyId }
  const [first] = old
  if (!first) return { kind: 'done' }
  const { isOpen, gate } = reissue(intent, facts, old)
  if (!isOpen) return { kind: 'wait', gate }
  const undenied = old.find(({ keyId, notAfter }) => !facts.denied.has(keyId) && notAfter.getTime() > facts.nowMs)
  if (undenied && intent.reason === 'emergency')
    return { kind: 'deny', keyId: undenied.keyId, untilMs: undenied.notAfter.getTime() }
  return { kind: 'revoke', of: first.kind, keyId: first.keyId, laggards: gate.laggards }
}

function isPrepared(intent: RotationIntent, facts: RotationFacts, kind: AuthorityKind): boolean {
  const prepared = find(facts, kind, 'prepared')
  if (!prepared || prepared.notAfter.getTime() <= facts.nowMs) return false
  const algorithm = algorithmFor(intent, kind)
  return algorithm === undefined || prepared.algorithm === algorithm
}

/** What is asked for is about certificates: a token's key stays of its kind. */
export function algorithmFor({ algorithm }: RotationIntent, kind: AuthorityKind): KeyAlgorithm | undefined {
  return kind === 'x509' ? algorithm : undefined
}

/** May the prepared ones be used: does everybody know them, or is there no time left to wait for the rest? */
function distribution(
  intent: RotationIntent,
  facts: RotationFacts,
  due: readonly AuthorityKind[],
  prepared: readonly AuthorityFact[],
): { because: GateOpening | undefined; gate: RotationGate } {
  const { nowMs } = facts
  const sidecars = awaited(facts)
  const laggards = sidecars
    .filter(({ trusts }) => prepared.some(({ keyId }) => !trusts.has(keyId)))
    .map((sidecar) => toLaggard(sidecar, 'has not acknowledged the bundle with the new authority'))
  const followed = sidecars.length - laggards.length
  const endOfLifeMs = Math.min(...due.map((kind) => mustActivateAtMs(facts, kind)))
  const deadlineMs = intent.deadlineAt?.getTime()
  const publishedMs = Math.max(...prepared.map(({ preparedAt }) => preparedAt.getTime())) + facts.publishMs
  const isPublished = publishedMs <= nowMs || intent.reason === 'emergency'
  const isSettled = facts.settledAtMs <= nowMs && isPublished
  const because =
    isSettled && laggards.length === 0
      ? 'acknowledged'
      : isSettled && intent.quorum < 1 && followed >= intent.quorum * sidecars.length
        ? 'quorum'
        : deadlineMs !== undefined && deadlineMs <= nowMs
          ? 'deadline'
          : endOfLifeMs <= nowMs
            ? 'end-of-life'
            : undefined
  const deadlineAtMs = Math.min(endOfLifeMs, deadlineMs ?? endOfLifeMs)
  const lookAgainAtMs = earliest(nowMs, [deadlineAtMs, facts.settledAtMs, publishedMs, ...awaitedUntil(sidecars)])
  const wait = `waits until federated trust domains had time to fetch the bundle, ${toInstant(publishedMs)}`
  const all = [...laggards, ...(isPublished ? [] : [toOwnLaggard(wait)]), ...afterStart(facts)]
  const gate = { phase: 'distributing', connected: sidecars.length, followed, laggards: all, retiring: [] } as const
  return { because, gate: { ...gate, deadlineAtMs: finite(deadlineAtMs), lookAgainAtMs } }
}

/** May the old ones go: does nobody depend on them any more, or has whoever does had time enough? */
function reissue(
  intent: RotationIntent,
  facts: RotationFacts,
  old: readonly AuthorityFact[],
): { isOpen: boolean; gate: RotationGate } {
  const { nowMs } = facts
  const retiring = old.filter(({ kind, notAfter }) => kind === 'x509' && notAfter.getTime() > nowMs)
  const keyIds = retiring.map(({ keyId }) => keyId)
  const sidecars = keyIds.length > 0 ? awaited(facts) : []
  const laggards = sidecars.flatMap((sidecar) => {
    const { holds } = sidecar
    if (!holds) return [toLaggard(sidecar, 'has not said whose SVIDs it holds')]
    const isHolder = holds.some((keyId) => keyIds.includes(keyId))
    return isHolder ? [toLaggard(sidecar, 'holds an SVID of the old authority')] : []
  })
  // Our own can always be replaced, and without one nobody could reach us: no deadline overrides that.
  const ownIsOld = facts.own.some((keyId) => keyIds.includes(keyId))
  // In an emergency somebody else may be making tokens: those that are ours are asked for anew.
  const hasTokens = intent.reason !== 'emergency' && old.some(({ kind }) => kind === 'jwt')
  const tokensEndMs = hasTokens ? lastTokenEndsMs(facts) : nowMs
  const deadlineAtMs = reissueDeadlineMs(intent, facts)
  const isOver = deadlineAtMs !== undefined && deadlineAtMs <= nowMs
  const hasFollowed = facts.settledAtMs <= nowMs && laggards.length === 0 && tokensEndMs <= nowMs
  const times = [deadlineAtMs, facts.settledAtMs, tokensEndMs, ...awaitedUntil(sidecars)]
  return {
    isOpen: !ownIsOld && (hasFollowed || isOver),
    gate: {
      phase: 'reissuing',
      connected: sidecars.length,
      followed: sidecars.length - laggards.length,
      laggards: [
        ...laggards,
        ...afterStart(facts),
        ...(ownIsOld ? [toOwnLaggard('renews its own SVIDs')] : []),
        ...(tokensEndMs > nowMs ? [toOwnLaggard(`waits for tokens, good until ${toInstant(tokensEndMs)}`)] : []),
      ],
      deadlineAtMs,
      lookAgainAtMs: earliest(nowMs, times),
      retiring: keyIds,
    },
  }
}

/** Past this the active authority could not give its SVIDs their full life: waiting on would harm everybody. */
function mustActivateAtMs(facts: RotationFacts, kind: AuthorityKind): number {
  const active = find(facts, kind, 'active')
  if (!active) return facts.nowMs
  const endMs = active.notAfter.getTime()
  const beganMs = active.activatedAt?.getTime() ?? endMs
  // An authority that lives hardly longer than its SVIDs would otherwise be past it from the start.
  return Math.max(endMs - facts.longestMs[kind], endMs - (endMs - beganMs) / 12)
}

/** The same time again for the second gate, from the moment that the first was passed. */
function reissueDeadlineMs(intent: RotationIntent, facts: RotationFacts): number | undefined {
  if (!intent.deadlineAt) return undefined
  return activatedMs(intent.kinds, facts) + (intent.deadlineAt.getTime() - intent.startedAt.getTime())
}

function lastTokenEndsMs(facts: RotationFacts): number {
  return activatedMs(['jwt'], facts) + facts.longestMs.jwt
}

function activatedMs(kinds: readonly AuthorityKind[], facts: RotationFacts): number {
  return Math.max(...kinds.map((kind) => find(facts, kind, 'active')?.activatedAt?.getTime() ?? 0))
}

function find({ authorities }: RotationFacts, kind: AuthorityKind, state: AuthorityFact['state']) {
  return authorities.find((authority) => authority.kind === kind && authority.state === state)
}

function awaited({ sidecars, nowMs }: RotationFacts): readonly SidecarFact[] {
  return sidecars.filter(({ awaitedUntilMs }) => awaitedUntilMs === undefined || awaitedUntilMs > nowMs)
}

function awaitedUntil(sidecars: readonly SidecarFact[]): readonly (number | undefined)[] {
  return sidecars.map(({ awaitedUntilMs }) => awaitedUntilMs)
}

function toLaggard({ spiffeId, instanceId, awaitedUntilMs }: SidecarFact, reason: string): Laggard {
  const isGone = awaitedUntilMs !== undefined
  return { spiffeId, instanceId, reason: isGone ? `${reason}, and has just lost its connection` : reason }
}

function afterStart({ settledAtMs, nowMs }: RotationFacts): readonly Laggard[] {
  if (settledAtMs <= nowMs) return []
  return [toOwnLaggard(`gives sidecars time to come back after its start, until ${toInstant(settledAtMs)}`)]
}

function toOwnLaggard(reason: string): Laggard {
  return { spiffeId: 'the control plane', instanceId: '', reason }
}

function toInstant(atMs: number): string {
  return new Date(atMs).toISOString()
}

function earliest(nowMs: number, times: readonly (number | undefined)[]): number | undefined {
  return finite(Math.min(...times.filter((atMs) => atMs !== undefined && atMs > nowMs).map(Number)))
}

function finite(atMs: number): number | undefined {
  return Number.isFinite(atMs) ? atMs : undefined
}
