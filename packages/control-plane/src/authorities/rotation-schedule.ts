import type { AuthorityKind, AuthoritySlot } from '@picket/ca'

/** What the calendar asks for, while no rotation is under way. */
export type ScheduledAct =
  | { readonly kind: 'prepare'; readonly of: AuthorityKind }
  | { readonly kind: 'rotate'; readonly of: readonly AuthorityKind[] }
  /** Its successor would end hardly later: whoever issues our authorities has to renew its own first. */
  | { readonly kind: 'stuck'; readonly of: AuthorityKind; readonly againAtMs: number }
  | { readonly kind: 'wait'; readonly untilMs: number }

export type ScheduledAuthority = Pick<AuthoritySlot, 'kind' | 'state' | 'preparedAt' | 'notAfter' | 'upstream'>

export interface ScheduleFacts {
  readonly nowMs: number
  readonly authorities: readonly ScheduledAuthority[]
  /** When a successor made now would end, where an authority outside Picket bounds that. */
  readonly upstreamEndsAtMs: number | undefined
}

const KINDS: readonly AuthorityKind[] = ['x509', 'jwt']
/** Of an authority's life: its successor is in the bundle for the third of its life before it is used. */
const PREPARE_AT = 1 / 2
const ROTATE_AT = 5 / 6
/** Of its life, that a successor has to add. */
const LEAST_GAIN = 1 / 12
const LOOK_AGAIN_MS = 600_000

/** Prepares at half life, rotates at five sixths: a pure function of the authorities and the time. */
export function nextScheduledAct(facts: ScheduleFacts): ScheduledAct {
  const { nowMs, authorities } = facts
  const actives = KINDS.flatMap((kind) => authorities.find((one) => one.kind === kind && one.state === 'active') ?? [])
  const stuck = actives.filter((active) => isStuck(active, facts))
  const able = actives.filter((active) => !stuck.includes(active))
  const due = able.filter((active) => instantOf(active, ROTATE_AT) <= nowMs)
  if (due.length > 0) return { kind: 'rotate', of: due.map(({ kind }) => kind) }
  const unprepared = able.find((active) => instantOf(active, PREPARE_AT) <= nowMs && !hasPrepared(active, facts))
  if (unprepared) return { kind: 'prepare', of: unprepared.kind }
  if (stuck[0]) return { kind: 'stuck', of: stuck[0].kind, againAtMs: nowMs + LOOK_AGAIN_MS }
  const instants = able.flatMap((active) => [instantOf(active, PREPARE_AT), instantOf(active, ROTATE_AT)])
  return { kind: 'wait', untilMs: Math.min(...instants.filter((atMs) => atMs > nowMs), nowMs + LOOK_AGAIN_MS) }
}

function instantOf({ preparedAt, notAfter }: ScheduledAuthority, share: number): number {
  return preparedAt.getTime() + share * (notAfter.getTime() - preparedAt.getTime())
}

function hasPrepared({ kind }: ScheduledAuthority, { authorities, nowMs }: ScheduleFacts): boolean {
  return authorities.some((one) => one.kind === kind && one.state === 'prepared' && one.notAfter.getTime() > nowMs)
}

/** Rotating on and on towards the same end would help nobody. */
function isStuck(active: ScheduledAuthority, facts: ScheduleFacts): boolean {
  const { upstreamEndsAtMs, nowMs } = facts
  if (active.kind !== 'x509' || upstreamEndsAtMs === undefined || hasPrepared(active, facts)) return false
  if (instantOf(active, PREPARE_AT) > nowMs) return false
  const lifeMs = active.notAfter.getTime() - active.preparedAt.getTime()
  return upstreamEndsAtMs - active.notAfter.getTime() < lifeMs * LEAST_GAIN
}
