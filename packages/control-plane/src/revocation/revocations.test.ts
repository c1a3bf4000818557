import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createCsr, generateKeyPair, parseCrl, parseTrustBundlePem, type Crl } from '@picket/identity'
import { parseRevocations, type CreateRevocationRequest, type Resource } from '@picket/rpc'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  connectSidecar,
  eventually,
  openTestStore,
  startTestControlPlane,
  toSvid,
  TRUST_DOMAIN,
  type TestControlPlane,
} from '../testing.ts'

const PAYMENTS = 'spiffe://bank.test/payments'
const revocation = (change: Partial<CreateRevocationRequest> = {}): CreateRevocationRequest => {
  return { kind: 'spiffe-id', value: PAYMENTS, reason: '', expiresAtMs: 0, ...change }
}

const holds =
  (value: string) =>
  ({ bytes }: Resource): boolean =>
    parseRevocations(bytes).subjects.some((subject) => subject.value === value)

const crlOf = ({ bytes }: Resource): Crl => parseCrl(parseRevocations(bytes).crl!)

async function list(plane: TestControlPlane) {
  return (await plane.operator.revocations.list({ pageSize: 0, pageToken: '' })).revocations
}

suite('a revocation', () => {
  test('is stored, pushed, in the CRL, counted, and taken back', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['payments', 'ledger']) await plane.register(name)
    const payments = await plane.attest('payments')
    await using ledger = await connectSidecar(plane.client(await plane.attest('ledger')))
    const { serialNumber } = payments.chain[0]!
    const created = await plane.operator.revocations.create(revocation({ reason: 'stolen' }))
    assert.deepEqual(
      [created.kind, created.value, created.reason, created.createdBy],
      ['spiffe-id', PAYMENTS, 'stolen', 'spiffe://bank.test/picket/operator'],
    )
    const pushed = await ledger.next('revocations', holds(PAYMENTS))
    const crl = crlOf(pushed)
    assert.deepEqual(
      crl.revoked.map((one) => one.serialNumber),
      [serialNumber],
      'the SVIDs of that identity',
    )
    const [authority] = parseTrustBundlePem(
      readFileSync(join(plane.dataDir, 'trust-bundle.pem'), 'utf8'),
      TRUST_DOMAIN,
    ).x509Authorities
    assert.ok(crl.isSignedWith(authority!.publicKey))
    await eventually(async () => (await list(plane))[0]?.acknowledged === 1)
    assert.deepEqual(
      (await list(plane)).map(({ value, connected }) => [value, connected]),
      [[PAYMENTS, 1]],
    )
    await plane.operator.revocations.delete({ kind: 'spiffe-id', value: PAYMENTS })
    const after = await ledger.next('revocations', (resource) => crlOf(resource).crlNumber > crl.crlNumber)
    assert.deepEqual([parseRevocations(after.bytes).subjects, crlOf(after).revoked], [[], []])
    const missing = { code: 'ERR_RPC_NOT_FOUND', reason: 'ERR_REVOCATION_MISSING' }
    await assert.rejects(plane.operator.revocations.delete({ kind: 'spiffe-id', value: PAYMENTS }), missing)
  })

  test('of a SPIFFE ID ends its stream and its renewals, also after a restart, until it is taken back', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const svid = await plane.attest('payments')
    const sidecar = await connectSidecar(plane.client(svid))
    const renew = (): Promise<unknown> => plane.client(svid).issue({ csr: createCsr(generateKeyPair()) })
    await renew()
    await plane.operator.revocations.create(revocation())
    await sidecar.stream.closed
    await assert.rejects(renew())
    await plane.stop()
    await plane.start()
    await assert.rejects(renew())
    await assert.rejects(plane.attest('payments'), { code: 'ERR_RPC_DENIED' }, 'nor by new evidence')
    await plane.operator.revocations.delete({ kind: 'spiffe-id', value: PAYMENTS })
    await renew()
  })

  test('of a serial number, as tools print it, leaves other SVIDs of the same identity alone', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const first = await plane.attest('payments')
    const keyPair = generateKeyPair()
    const second = toSvid((await plane.client(first).issue({ csr: createCsr(keyPair) })).svid, keyPair)
    const colons = first.chain[0]!.serialNumber.toUpperCase().match(/../g)!.join(':')
    const created = await plane.operator.revocations.create(revocation({ kind: 'serial', value: colons }))
    assert.equal(created.value, first.chain[0]!.serialNumber)
    await assert.rejects(plane.client(first).issue({ csr: createCsr(keyPair) }))
    await plane.client(second).issue({ csr: createCsr(keyPair) })
  })

  test('ends by itself', async () => {
    await using plane = await startTestControlPlane()
    await plane.operator.revocations.create(revocation({ expiresAtMs: Date.now() + 300 }))
    assert.equal((await list(plane)).length, 1)
    await eventually(async () => (await list(plane)).length === 0)
  })

  test('that would leave nobody to take it back is refused with the way out', async () => {
    await using plane = await startTestControlPlane()
    const { authorities } = await plane.operator.authorities.getAuthorities()
    const own = readFileSync(join(plane.dataDir, 'operator', 'svid.pem'), 'utf8')
    assert.ok(own.includes('CERTIFICATE'))
    const refused = { code: 'ERR_RPC_PRECONDITION', reason: 'ERR_REVOCATION_REFUSED', message: /ca rotate --emergency/ }
    for (const request of [
      revocation({ value: 'spiffe://bank.test/picket/operator' }),
      revocation({ value: 'spiffe://bank.test/picket/control-plane' }),
      ...authorities.map(({ keyId }) => revocation({ kind: 'authority-key', value: keyId.toUpperCase() })),
    ]) {
      await assert.rejects(plane.operator.revocations.create(request), refused, request.value)
    }
    assert.deepEqual(await list(plane), [])
  })

  const INVALID: readonly (readonly [string, Partial<CreateRevocationRequest>])[] = [
    ['an unknown kind', { kind: 'ip' }],
    ['an ID that is none', { value: 'payments' }],
    ['an ID without a path', { value: 'spiffe://bank.test' }],
    ['a serial number that is none', { kind: 'serial', value: 'xyz' }],
    ['an empty authority key', { kind: 'authority-key', value: '' }],
    ['a reason without bounds', { reason: 'x'.repeat(1025) }],
    ['a reason that steers a terminal', { reason: '\u001b[2J' }],
    ['an end in the past', { expiresAtMs: 1 }],
  ]
  test('of nothing is refused', async () => {
    await using plane = await startTestControlPlane()
    const invalid = { code: 'ERR_RPC_INVALID', reason: 'ERR_REVOCATION_INVALID' }
    for (const [what, change] of INVALID) {
      await assert.rejects(plane.operator.revocations.create(revocation(change)), invalid, what)
    }
    await assert.rejects(plane.operator.revocations.list({ pageSize: 1, pageToken: 'x' }), { reason: 'ERR_PAGE' })
  })
})

test('many revocations are listed by pages, in the order in which they were made', async () => {
  await using plane = await startTestControlPlane()
  const { revocations } = plane.operator
  for (let serial = 16; serial < 23; serial++) {
    await revocations.create(revocation({ kind: 'serial', value: serial.toString(16) }))
  }
  const first = await revocations.list({ pageSize: 4, pageToken: '' })
  const second = await revocations.list({ pageSize: 4, pageToken: first.nextPageToken })
  assert.deepEqual(
    [...first.revocations, ...second.revocations].map(({ value }) => value),
    ['10', '11', '12', '13', '14', '15', '16'],
  )
  assert.deepEqual([first.revocations.length, second.nextPageToken], [4, ''])
})

test('the store keeps one revocation to a subject, the newest', async () => {
  await using store = openTestStore()
  const subject = { kind: 'serial', value: '0a' } as const
  const stored = { subject, reason: 'one', createdAtMs: 1, createdBy: 'me', expiresAtMs: 0 }
  await store.saveRevocation(stored)
  await store.saveRevocation({ ...stored, reason: 'two', expiresAtMs: 5 })
  assert.deepEqual(await store.loadRevocations(), [{ ...stored, reason: 'two', expiresAtMs: 5 }])
  await store.deleteRevocation(subject)
  assert.deepEqual(await store.loadRevocations(), [])
})
