import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemClock } from '@picket/runtime'
import { toUpstreamFiles, upstreamEndsAtMs } from './authorities-upstream.ts'
import { eventually, startTestControlPlane } from '../testing.ts'

let folder: string
let settings: { upstreamCertificate: string; upstreamKey: string; upstreamBundle: string }
const root = createTestAuthority('bank.test', { clock: systemClock })

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-upstream-'))
  settings = {
    upstreamCertificate: join(folder, 'upstream.pem'),
    upstreamKey: join(folder, 'upstream.key'),
    upstreamBundle: join(folder, 'roots.pem'),
  }
  writeFileSync(settings.upstreamCertificate, encodeCertificatesPem([root.certificate]))
  writeFileSync(settings.upstreamKey, encodePrivateKeyPem(root.keyPair.privateKey))
  writeFileSync(settings.upstreamBundle, encodeCertificatesPem([root.certificate]))
})
after(() => rmSync(folder, { recursive: true }))

suite('an authority above ours', () => {
  test('takes a running trust domain over by a rotation, and ours is renewed below it by another', async () => {
    await using plane = await startTestControlPlane({ ...settings, authorityTtl: 600_000, svidTtl: 60_000 })
    const rotate = async (): Promise<string> => {
      const ORDER = { algorithm: '', svidAlgorithm: '', emergency: false, keepOld: false, dryRun: false }
      await plane.operator.authorities.rotate({ ...ORDER, kinds: ['x509'], quorumPercent: 0, deadlineSeconds: 0 })
      await eventually(async () => (await plane.operator.authorities.getAuthorities()).rotation === undefined)
      const { authorities } = await plane.operator.authorities.getAuthorities()
      const x509 = authorities.filter(({ kind }) => kind === 'x509')
      assert.deepEqual(
        x509.map(({ state, upstream }) => [state, upstream]),
        [['active', true]],
      )
      return x509[0]!.keyId
    }
    const first = await rotate()
    const second = await rotate()
    assert.notEqual(first, second)
    await plane.register('payments')
    const { chain } = await plane.attest('payments')
    assert.deepEqual([chain.length, chain[0]!.authorityKeyId], [2, second])
    assert.ok(chain[1]!.isSignedWith(root.certificate.publicKey))
    const { keyId: value } = root.certificate.publicKeyInfo
    const denial = { kind: 'authority-key', value, reason: '', expiresAtMs: 0 }
    const refused = { code: 'ERR_RPC_PRECONDITION', reason: 'ERR_REVOCATION_REFUSED' }
    await assert.rejects(plane.operator.revocations.create(denial), refused, 'all of ours rests on it')
  })

  test('ends when its certificate does', async () => {
    const endsAtMs = await upstreamEndsAtMs(toUpstreamFiles(settings)!)
    assert.equal(endsAtMs, root.certificate.notAfter.getTime())
  })

  test('is three files or none', () => {
    const none = { upstreamCertificate: undefined, upstreamKey: undefined, upstreamBundle: undefined }
    assert.equal(toUpstreamFiles(none), undefined)
    for (const name of Object.keys(none)) {
      assert.throws(() => toUpstreamFiles({ ...settings, [name]: undefined }), { code: 'ERR_SETTINGS' }, name)
    }
  })
})
