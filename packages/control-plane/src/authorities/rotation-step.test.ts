import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AuthorityKind, RotationIntent } from '@picket/ca'
import {
  nextRotationStep,
  phaseOf,
  type AuthorityFact,
  type RotationFacts,
  type RotationStep,
} from './rotation-step.ts'
import {
  activated,
  authority,
  DAY,
  facts,
  HOUR,
  intent,
  MINUTE,
  NOW,
  prepared,
  sidecar,
  tainted,
} from './testing-rotation-step.ts'

const knows = { trusts: new Set(['a', 'b']) }
const renewed = { ...knows, holds: ['b'] }
const withDeadline = { deadlineAt: new Date(NOW + MINUTE) }
const atDeadline = { nowMs: NOW + MINUTE }

/** Whom a step names, and what it does: `activate b because acknowledged`. */
function say(step: RotationStep): string {
  switch (step.kind) {
    case 'wait':
      return `${step.gate.phase} ${step.gate.followed}/${step.gate.connected}`
    case 'prepare':
      return ['prepare', step.of, step.algorithm ?? ''].join(' ').trimEnd()
    case 'activate':
      return `activate ${step.keyId} because ${step.because}`
    case 'set-svid-algorithm':
      return `SVIDs of ${step.algorithm}`
    case 'taint':
    case 'revoke':
    case 'deny':
      return `${step.kind} ${step.keyId}`
    case 'done':
      return 'done'
  }
}

type Row = readonly [name: string, Partial<RotationIntent>, Partial<RotationFacts>, expected: string]

const OF_BOTH = { kinds: ['x509', 'jwt'] as AuthorityKind[], replaces: ['a', 'j'] }
const jwt = (keyId: string, state: AuthorityFact['state'], change: Partial<AuthorityFact> = {}): AuthorityFact =>
  authority(keyId, state, { kind: 'jwt', ...change })

const ROWS: readonly Row[] = [
  ['prepares first', {}, {}, 'prepare x509'],
  ['prepares of the algorithm asked for', { algorithm: 'ml-dsa-65' }, {}, 'prepare x509 ml-dsa-65'],
  [
    'prepares anew when what is prepared is of another algorithm',
    { algorithm: 'ml-dsa-65' },
    { authorities: prepared },
    'prepare x509 ml-dsa-65',
  ],
  [
    'prepares anew when what is prepared has expired',
    {},
    { authorities: [prepared[0]!, authority('b', 'prepared', { notAfter: new Date(NOW) })] },
    'prepare x509',
  ],
  ['activates where nobody is connected', {}, { authorities: prepared }, 'activate b because acknowledged'],
  ['waits for who lacks the bundle', {}, { authorities: prepared, sidecars: [sidecar('x')] }, 'distributing 0/1'],
  [
    'waits for who has just lost its connection',
    {},
    { authorities: prepared, sidecars: [sidecar('x', { awaitedUntilMs: NOW + 1 })] },
    'distributing 0/1',
  ],
  [
    'waits no longer for who has been gone for a while',
    {},
    { authorities: prepared, sidecars: [sidecar('x', { awaitedUntilMs: NOW })] },
    'activate b because acknowledged',
  ],
  [
    'waits after a start until sidecars had time to come back',
    {},
    { authorities: prepared, settledAtMs: NOW + 1 },
    'distributing 0/0',
  ],
  [
    'activates when all have acknowledged',
    {},
    { authorities: prepared, sidecars: [sidecar('x', knows), sidecar('y', knows)] },
    'activate b because acknowledged',
  ],
  [
    'waits below the quorum',
    { quorum: 0.6 },
    { authorities: prepared, sidecars: [sidecar('x', knows), sidecar('y')] },
    'distributing 1/2',
  ],
  [
    'activates at the quorum',
    { quorum: 0.5 },
    { authorities: prepared, sidecars: [sidecar('x', knows), sidecar('y')] },
    'activate b because quorum',
  ],
  ['has no quorum of nobody yet', { quorum: 0.5 }, { authorities: prepared, settledAtMs: NOW + 1 }, 'distributing 0/0'],
  [
    'waits before the deadline',
    withDeadline,
    { authorities: prepared, sidecars: [sidecar('x')], nowMs: NOW + MINUTE - 1 },
    'distributing 0/1',
  ],
  [
    'activates at the deadline',
    withDeadline,
    { authorities: prepared, sidecars: [sidecar('x')], ...atDeadline },
    'activate b because deadline',
  ],
  [
    'activates at the deadline also right after a start',
    withDeadline,
    { authorities: prepared, settledAtMs: NOW + HOUR, ...atDeadline },
    'activate b because deadline',
  ],
  [
    'waits while the old authority lasts for an SVID',
    {},
    { authorities: prepared, sidecars: [sidecar('x')], nowMs: NOW + 30 * DAY - HOUR - 1 },
    'distributing 0/1',
  ],
  [
    'activates when the old authority lasts for no SVID any more',
    {},
    { authorities: prepared, sidecars: [sidecar('x')], nowMs: NOW + 30 * DAY - HOUR },
    'activate b because end-of-life',
  ],
  [
    'waits for acknowledgements although the authority lives hardly longer than an SVID',
    {},
    {
      authorities: [authority('a', 'active', { notAfter: new Date(NOW + HOUR) }), authority('b', 'prepared')],
      sidecars: [sidecar('x')],
      nowMs: NOW + 54 * MINUTE,
    },
    'distributing 0/1',
  ],
  [
    'waits until federated domains had time to fetch the bundle',
    {},
    { authorities: prepared, publishMs: MINUTE, nowMs: NOW + MINUTE - 1 },
    'distributing 0/0',
  ],
  [
    'activates when they had',
    {},
    { authorities: prepared, publishMs: MINUTE, nowMs: NOW + MINUTE },
    'activate b because acknowledged',
  ],
  [
    'waits for federated domains in no emergency',
    { reason: 'emergency' },
    { authorities: prepared, publishMs: MINUTE },
    'activate b because acknowledged',
  ],
  [
    'changes the kind of SVIDs once the new authority is active',
    { svidAlgorithm: 'ml-dsa-65' },
    { authorities: activated },
    'SVIDs of ml-dsa-65',
  ],
  ['taints what it replaced', {}, { authorities: activated }, 'taint a'],
  ['is done after activation when the old one is kept', { retire: false }, { authorities: activated }, 'done'],
  [
    'waits for who holds an SVID of the old one',
    {},
    { authorities: tainted, sidecars: [sidecar('x', knows), sidecar('y', renewed)] },
    'reissuing 1/2',
  ],
  [
    'waits for who has not said what it holds',
    {},
    { authorities: tainted, sidecars: [sidecar('x', { ...knows, holds: undefined })] },
    'reissuing 0/1',
  ],
  [
    'waits for who holds one SVID of the old one among others',
    {},
    { authorities: tainted, sidecars: [sidecar('x', { ...knows, holds: ['b', 'a'] })] },
    'reissuing 0/1',
  ],
  ['waits for its own SVIDs', {}, { authorities: tainted, own: ['b', 'a'] }, 'reissuing 0/0'],
  [
    'waits for its own SVIDs past every deadline',
    withDeadline,
    { authorities: tainted, own: ['a'], nowMs: NOW + DAY },
    'reissuing 0/0',
  ],
  ['waits to revoke after a start', {}, { authorities: tainted, settledAtMs: NOW + 1 }, 'reissuing 0/0'],
  ['knows no quorum for revoking', { quorum: 0 }, { authorities: tainted, sidecars: [sidecar('x')] }, 'reissuing 0/1'],
  ['revokes when nobody depends on it', {}, { authorities: tainted, sidecars: [sidecar('x', renewed)] }, 'revoke a'],
  [
    'revokes at the deadline, counted from activation',
    withDeadline,
    { authorities: tainted, sidecars: [sidecar('x')], ...atDeadline },
    'revoke a',
  ],
  [
    'denies the key before it revokes, in an emergency',
    { reason: 'emergency' },
    { authorities: tainted, sidecars: [sidecar('x', renewed)] },
    'deny a',
  ],
  [
    'revokes what it has denied',
    { reason: 'emergency' },
    { authorities: tainted, sidecars: [sidecar('x', renewed)], denied: new Set(['a']) },
    'revoke a',
  ],
  [
    'asks nobody about an old authority that has expired',
    {},
    {
      authorities: [authority('a', 'old', { tainted: true, notAfter: new Date(NOW) }), authority('b', 'active')],
      sidecars: [sidecar('x')],
    },
    'revoke a',
  ],
  [
    'denies nothing that has expired',
    { reason: 'emergency' },
    { authorities: [authority('a', 'old', { tainted: true, notAfter: new Date(NOW) }), authority('b', 'active')] },
    'revoke a',
  ],
  ['is done when nothing old is left', {}, { authorities: [authority('b', 'active')] }, 'done'],
  [
    'prepares the other kind before it waits',
    OF_BOTH,
    { authorities: [...prepared, jwt('j', 'active')], sidecars: [sidecar('x')] },
    'prepare jwt',
  ],
  [
    'waits for both keys together',
    OF_BOTH,
    { authorities: [...prepared, jwt('j', 'active'), jwt('k', 'prepared')], sidecars: [sidecar('x', knows)] },
    'distributing 0/1',
  ],
  [
    'activates one kind after the other',
    OF_BOTH,
    { authorities: [...activated, jwt('j', 'active'), jwt('k', 'prepared')] },
    'activate k because acknowledged',
  ],
  [
    'waits for tokens that are still good',
    { kinds: ['jwt'], replaces: ['j'] },
    { authorities: [jwt('j', 'old', { tainted: true }), jwt('k', 'active')], nowMs: NOW + 5 * MINUTE - 1 },
    'reissuing 0/0',
  ],
  [
    'revokes a token key when its last token has ended',
    { kinds: ['jwt'], replaces: ['j'] },
    { authorities: [jwt('j', 'old', { tainted: true }), jwt('k', 'active')], nowMs: NOW + 5 * MINUTE },
    'revoke j',
  ],
  [
    'waits for no token in an emergency',
    { kinds: ['jwt'], replaces: ['j'], reason: 'emergency' },
    { authorities: [jwt('j', 'old', { tainted: true }), jwt('k', 'active')] },
    'deny j',
  ],
  [
    'leaves the other kind alone',
    {},
    { authorities: [authority('b', 'active'), jwt('j', 'old'), jwt('k', 'active')] },
    'done',
  ],
]

suite('the next step of a rotation', () => {
  for (const [name, change, changed, expected] of ROWS) {
    test(name, () => assert.equal(say(nextRotationStep({ ...intent, ...change }, facts(changed))), expected))
  }

  test('names who is waited for, why, and when time alone will tell', () => {
    const sidecars = [sidecar('x'), sidecar('y', { awaitedUntilMs: NOW + 1000 }), sidecar('z', knows)]
    const step = nextRotationStep({ ...intent, ...withDeadline }, facts({ authorities: prepared, sidecars }))
    assert.ok(step.kind === 'wait')
    assert.equal(phaseOf(step), 'distributing')
    const reason = 'has not acknowledged the bundle with the new authority'
    assert.deepEqual(step.gate.laggards, [
      { spiffeId: 'spiffe://bank.test/x', instanceId: 'one', reason },
      { spiffeId: 'spiffe://bank.test/y', instanceId: 'one', reason: `${reason}, and has just lost its connection` },
    ])
    assert.deepEqual([step.gate.deadlineAtMs, step.gate.lookAgainAtMs], [NOW + MINUTE, NOW + 1000])
  })
})
