import type { RotationIntent } from '@picket/ca'
import type { RotationProgress } from '@picket/rpc'
import { phaseOf, type RotationStep } from './rotation-step.ts'

const MOST_LAGGARDS = 100

/** A rotation as operators see it. */
export function createProgress(intent: RotationIntent, step: RotationStep): RotationProgress {
  const begun = beginProgress(intent)
  if (step.kind !== 'wait') return { ...begun, phase: phaseOf(step) }
  const { phase, connected, followed, laggards, deadlineAtMs = 0 } = step.gate
  return {
    ...begun,
    phase,
    connected,
    followed,
    phaseDeadlineAtMs: Math.round(deadlineAtMs),
    laggards: laggards.slice(0, MOST_LAGGARDS),
  }
}

/** Before the first look at it; undefined for none. */
export function idleProgress(intent: RotationIntent | undefined): RotationProgress | undefined {
  return intent && beginProgress(intent)
}

function beginProgress({ id, reason, startedAt, quorum }: RotationIntent): RotationProgress {
  return {
    id,
    reason,
    phase: 'preparing',
    startedAtMs: startedAt.getTime(),
    phaseDeadlineAtMs: 0,
    connected: 0,
    followed: 0,
    laggards: [],
    quorumPercent: Math.round(quorum * 100),
  }
}
