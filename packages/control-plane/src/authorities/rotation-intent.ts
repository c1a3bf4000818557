import type { Authority, AuthorityKind, RotationIntent } from '@picket/ca'
import type { KeyAlgorithm } from '@picket/identity'
import type { Clock, Random } from '@picket/runtime'

export interface RotationOrder {
  readonly kinds: readonly AuthorityKind[]
  readonly reason: RotationIntent['reason']
  readonly quorum: number
  readonly deadlineMs: number | undefined
  readonly retire: boolean
  readonly algorithm?: KeyAlgorithm | undefined
  readonly svidAlgorithm?: KeyAlgorithm | undefined
}

interface IntentDeps {
  readonly authority: Pick<Authority, 'authorities'>
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
}

/** An order with its name and its beginning: everything that a restarted control plane needs to go on with it. */
export function createRotationIntent(order: RotationOrder, { authority, clock, random }: IntentDeps): RotationIntent {
  const { kinds, reason, quorum, deadlineMs, retire, algorithm, svidAlgorithm } = order
  const nowMs = clock.now()
  const isReplaced = ({ kind, state }: { kind: AuthorityKind; state: string }): boolean =>
    state === 'active' && kinds.includes(kind)
  return {
    id: random.uuid(),
    kinds,
    algorithm,
    svidAlgorithm,
    reason,
    retire,
    replaces: authority.authorities.value.filter(isReplaced).map(({ keyId }) => keyId),
    startedAt: new Date(nowMs),
    deadlineAt: deadlineMs === undefined ? undefined : new Date(nowMs + deadlineMs),
    quorum,
  }
}
