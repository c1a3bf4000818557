import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createBundleSource,
  createCsr,
  createRevocationList,
  generateKeyPair,
  parseCsr,
  signMessage,
  type RevocationSubject,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { toSignedChallenge } from '@picket/rpc'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { Attestation } from './attestation.ts'
import { createChallenges, type Challenges } from './challenge.ts'
import { createExpiredSvidAttestor } from './expired-svid.ts'

const HOUR_MS = 3_600_000
const csr = parseCsr(createCsr(generateKeyPair()))

function setUp(windowMs = 24 * HOUR_MS) {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock, notAfter: new Date(clock.now() + 1000 * HOUR_MS) })
  const challenges = createChallenges({ clock, random: systemRandom })
  const known: { attestation: Attestation | undefined } = {
    attestation: { id: 'one', evidence: 'join-token', subject: '', facts: ['service:a'] },
  }
  const revoked: RevocationSubject[] = []
  const bundles = () => createBundleSource([authority.bundle], createRevocationList(revoked))
  const store = { findAttestation: async () => known.attestation }
  const attestor = createExpiredSvidAttestor({ clock, challenges, store, bundles }, windowMs)
  const svid = authority.issueSvid('/a', { notAfter: new Date(clock.now() + HOUR_MS) })
  const outcome = async (shown: X509Svid = svid, by: Challenges = challenges): Promise<string> => {
    const { challenge } = by.create()
    const signature = signMessage(toSignedChallenge('expired-svid', challenge, csr.der), shown.privateKey)
    const chain = shown.chain.map(({ der }) => der)
    const verdict = await attestor.attest({ chain, challenge, signature }, csr, undefined)
    return verdict.kind === 'denied' ? verdict.reason : `${verdict.evidence} ${verdict.spiffeId}`
  }
  return { clock, authority, challenges, known, revoked, svid, outcome }
}

const RENEWED = 'expired-svid spiffe://bank.test/a'

suite('an expired SVID', () => {
  test('is evidence until the window is over', async () => {
    const { clock, outcome } = setUp()
    await clock.advance(25 * HOUR_MS)
    assert.equal(await outcome(), RENEWED)
    await clock.advance(1)
    assert.equal(await outcome(), 'renewal-window')
  })

  test('is none where the window is closed', async () => {
    const { clock, outcome } = setUp(0)
    await clock.advance(HOUR_MS + 1)
    assert.equal(await outcome(), 'evidence-not-taken')
  })

  test('is none while the deny-list names its ID, its serial number or who signed it', async () => {
    const { clock, authority, revoked, svid, outcome } = setUp()
    await clock.advance(2 * HOUR_MS)
    for (const subject of [
      { kind: 'spiffe-id', value: svid.id.uri },
      { kind: 'serial', value: svid.chain[0]!.serialNumber },
      { kind: 'authority-key', value: authority.certificate.subjectKeyId! },
    ] as const) {
      revoked.splice(0, 1, subject)
      assert.equal(await outcome(), 'expired-svid', subject.kind)
    }
    revoked.length = 0
    assert.equal(await outcome(), RENEWED)
  })

  test('is none when this control plane does not remember it, or another authority signed it', async () => {
    const { clock, known, outcome } = setUp()
    await clock.advance(2 * HOUR_MS)
    const foreign = createTestAuthority('bank.test', { clock: new FakeClock() }).issueSvid('/a')
    assert.equal(await outcome(foreign), 'expired-svid')
    known.attestation = undefined
    assert.equal(await outcome(), 'unknown-svid')
  })

  test('that comes of evidence which can be shown again needs that', async () => {
    const { clock, known, outcome } = setUp()
    await clock.advance(2 * HOUR_MS)
    for (const evidence of ['x509-pop', 'kubernetes'] as const) {
      known.attestation = { id: 'one', evidence, subject: '', facts: [] }
      assert.equal(await outcome(), 'fresh-evidence')
    }
  })
})

suite('a challenge', () => {
  test('is good for a minute, at the control plane that made it, and not when a bit of it differs', async () => {
    const { clock, challenges, outcome, svid } = setUp()
    const { challenge, expiresAtMs } = challenges.create()
    assert.equal(expiresAtMs - clock.now(), 60_000)
    assert.equal(challenges.isGood(challenge), true)
    for (let at = 0; at < challenge.length; at++) {
      const other = Buffer.from(challenge)
      other[at]! ^= 1
      assert.equal(challenges.isGood(other), false)
    }
    for (const other of [Buffer.alloc(0), challenge.subarray(1), Buffer.concat([challenge, Buffer.of(0)])]) {
      assert.equal(challenges.isGood(other), false)
    }
    const strange = createChallenges({ clock, random: systemRandom })
    assert.equal(await outcome(svid, strange), 'challenge')
    await clock.advance(60_000)
    assert.equal(challenges.isGood(challenge), false)
  })
})
