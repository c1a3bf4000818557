import type { RotationIntent } from '@picket/ca'
import type { AuthorityFact, RotationFacts, SidecarFact } from './rotation-step.ts'

export const NOW = Date.UTC(2026, 0, 1)
export const MINUTE = 60_000
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export function authority(
  keyId: string,
  state: AuthorityFact['state'],
  change: Partial<AuthorityFact> = {},
): AuthorityFact {
  const activatedAt = state === 'prepared' ? undefined : new Date(NOW)
  const notAfter = new Date(NOW + 30 * DAY)
  const preparedAt = new Date(NOW)
  return {
    kind: 'x509',
    keyId,
    algorithm: 'ec-p256',
    state,
    tainted: false,
    preparedAt,
    activatedAt,
    notAfter,
    ...change,
  }
}

export function sidecar(name: string, change: Partial<SidecarFact> = {}): SidecarFact {
  const spiffeId = `spiffe://bank.test/${name}`
  return { spiffeId, instanceId: 'one', trusts: new Set(['a']), holds: ['a'], awaitedUntilMs: undefined, ...change }
}

export const intent: RotationIntent = {
  id: 'r1',
  kinds: ['x509'],
  algorithm: undefined,
  svidAlgorithm: undefined,
  reason: 'ordered',
  retire: true,
  replaces: ['a'],
  startedAt: new Date(NOW),
  deadlineAt: undefined,
  quorum: 1,
}

export function facts(change: Partial<RotationFacts>): RotationFacts {
  return {
    nowMs: NOW,
    authorities: [authority('a', 'active')],
    svidAlgorithm: 'ec-p256',
    sidecars: [],
    settledAtMs: 0,
    own: ['b'],
    denied: new Set(),
    longestMs: { x509: HOUR, jwt: 5 * MINUTE },
    publishMs: 0,
    ...change,
  }
}

export const prepared = [authority('a', 'active'), authority('b', 'prepared')]
export const activated = [authority('a', 'old'), authority('b', 'active')]
export const tainted = [authority('a', 'old', { tainted: true }), authority('b', 'active')]
