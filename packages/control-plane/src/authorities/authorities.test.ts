import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createCsr, generateKeyPair, parseTrustBundle, type X509Svid } from '@picket/identity'
import type { AuthorityStatus, Report, RotateAuthoritiesRequest } from '@picket/rpc'
import {
  connectSidecar,
  eventually,
  startTestControlPlane,
  toSvid,
  TRUST_DOMAIN,
  type TestControlPlane,
  type TestSidecar,
} from '../testing.ts'

const ORDER: RotateAuthoritiesRequest = {
  kinds: ['x509'],
  algorithm: '',
  svidAlgorithm: '',
  emergency: false,
  keepOld: false,
  quorumPercent: 0,
  deadlineSeconds: 0,
  dryRun: false,
}

/** Reports the SVIDs held, as a sidecar does whenever they change. */
function report({ stream }: TestSidecar, svid: X509Svid): void {
  const { serialNumber, authorityKeyId } = svid.chain[0]!
  const said: Report = {
    kind: 'report',
    svidSerial: serialNumber,
    svidNotAfterMs: svid.notAfter.getTime(),
    keyExchangeGroup: '',
    ready: true,
    notReadyReasons: [],
    requestsAllowed: 0,
    requestsDenied: 0,
    svidRotations: 0,
    authorityKeyIds: [authorityKeyId!],
    svidKeyAlgorithm: 'ec-p256',
  }
  stream.send(said)
}

const keyIdOf = ({ authorities }: AuthorityStatus, kind: string, state: string): string | undefined =>
  authorities.find((authority) => authority.kind === kind && authority.state === state)?.keyId

const statusOf = (plane: TestControlPlane): Promise<AuthorityStatus> => plane.operator.authorities.getAuthorities()

async function untilDone(plane: TestControlPlane): Promise<AuthorityStatus> {
  let status = await statusOf(plane)
  await eventually(async () => (status = await statusOf(plane)).rotation === undefined)
  return status
}

async function connect(plane: TestControlPlane, name: string, answer: 'ack' | 'nack' = 'ack') {
  await plane.register(name)
  const svid = await plane.attest(name)
  const sidecar = await connectSidecar(plane.client(svid), { instanceId: name }, answer)
  report(sidecar, svid)
  return { sidecar, svid }
}

async function renew(plane: TestControlPlane, svid: X509Svid): Promise<X509Svid> {
  const keyPair = generateKeyPair()
  return toSvid((await plane.client(svid).issue({ csr: createCsr(keyPair) })).svid, keyPair)
}

suite('the steps of a rotation, one by one', () => {
  test('make a new authority known, use it, and retire the old one', async () => {
    await using plane = await startTestControlPlane()
    const { authorities } = plane.operator
    const before = await authorities.getAuthorities()
    assert.deepEqual(
      before.authorities.map(({ kind, state, algorithm }) => `${kind} ${state} ${algorithm}`),
      ['x509 active ec-p256', 'jwt active ec-p256'],
    )
    const old = keyIdOf(before, 'x509', 'active')!
    const prepared = await authorities.prepare({ kind: 'x509', algorithm: 'ec-p384' })
    assert.ok(BigInt(prepared.bundleSequence) > BigInt(before.bundleSequence))
    const fresh = keyIdOf(prepared, 'x509', 'prepared')!
    const { sidecar, svid } = await connect(plane, 'payments')
    await using _sidecar = sidecar
    await sidecar.next('trust-bundle', ({ bytes }) => parse(bytes).x509Authorities.length === 2)
    await eventually(async () => {
      const { authorities: listed } = await statusOf(plane)
      return listed.filter(({ kind }) => kind === 'x509').every(({ acknowledged }) => acknowledged === 1)
    })
    const active = await authorities.activate({ kind: 'x509', force: false })
    assert.equal(keyIdOf(active, 'x509', 'active'), fresh)
    const request = { kind: 'x509', keyId: old, force: false }
    const unused = { code: 'ERR_RPC_PRECONDITION', reason: 'ERR_ROTATION_LAGGARDS' }
    await assert.rejects(plane.operator.authorities.revoke(request), unused)
    await plane.operator.authorities.taint(request)
    await eventually(() => sidecar.rotations >= 1)
    await assert.rejects(plane.operator.authorities.revoke(request), unused)
    const renewed = await renew(plane, svid)
    assert.equal(renewed.chain[0]!.authorityKeyId, fresh)
    report(sidecar, renewed)
    await eventually(async () => (await statusOf(plane)).authorities.find(({ keyId }) => keyId === old)?.holders === 0)
    const revoked = await plane.operator.authorities.revoke(request)
    assert.deepEqual(
      revoked.authorities.map(({ kind, keyId }) => (kind === 'x509' ? keyId : kind)),
      ['jwt', fresh],
    )
    assert.equal(await outcomeOf(renew(plane, svid)), 'refused', 'what the old one signed is worth nothing')
    await renew(plane, renewed)
  })

  test('are refused when a sidecar lacks the bundle, which is named, unless forced', async () => {
    await using plane = await startTestControlPlane()
    const { sidecar } = await connect(plane, 'payments', 'nack')
    await using _sidecar = sidecar
    const { authorities } = plane.operator
    await authorities.prepare({ kind: 'jwt', algorithm: '' })
    await assert.rejects(authorities.activate({ kind: 'jwt', force: false }), {
      code: 'ERR_RPC_PRECONDITION',
      reason: 'ERR_ROTATION_LAGGARDS',
      message: /spiffe:\/\/bank\.test\/payments \(payments\)/,
    })
    await authorities.activate({ kind: 'jwt', force: true })
  })

  test('that cannot be are refused with a reason', async () => {
    await using plane = await startTestControlPlane()
    const { authorities } = plane.operator
    const active = keyIdOf(await authorities.getAuthorities(), 'x509', 'active')!
    const invalid = { code: 'ERR_RPC_INVALID', reason: 'ERR_ROTATION_INVALID' }
    const conflict = { code: 'ERR_RPC_CONFLICT', reason: 'ERR_AUTHORITY_STATE' }
    await assert.rejects(authorities.prepare({ kind: 'ssh', algorithm: '' }), invalid)
    await assert.rejects(authorities.prepare({ kind: 'x509', algorithm: 'dsa' }), invalid)
    await assert.rejects(authorities.prepare({ kind: 'jwt', algorithm: 'ml-dsa-65' }), invalid)
    await assert.rejects(authorities.activate({ kind: 'x509', force: true }), conflict)
    await assert.rejects(authorities.taint({ kind: 'x509', keyId: active, force: true }), conflict)
    await assert.rejects(authorities.taint({ kind: 'x509', keyId: 'ff', force: true }), conflict)
    for (const change of [
      { kinds: ['ssh'] },
      { algorithm: 'dsa' },
      { svidAlgorithm: 'x' },
      { kinds: ['jwt'], algorithm: 'ec-p384' },
      { emergency: true, keepOld: true },
      { quorumPercent: 101 },
      { deadlineSeconds: 2 ** 31 },
    ]) {
      await assert.rejects(authorities.rotate({ ...ORDER, ...change }), invalid, JSON.stringify(change))
    }
    assert.equal((await authorities.getAuthorities()).authorities.length, 2)
  })
})

suite('a whole rotation', () => {
  test('ends by itself when every sidecar follows, with another key algorithm', async () => {
    await using plane = await startTestControlPlane()
    const { sidecar, svid } = await connect(plane, 'payments')
    await using _sidecar = sidecar
    const before = await statusOf(plane)
    const begun = await plane.operator.authorities.rotate({ ...ORDER, algorithm: 'ml-dsa-44' })
    assert.equal(begun.rotation?.reason, 'ordered')
    await eventually(() => sidecar.rotations >= 1)
    report(sidecar, await renew(plane, svid))
    const after = await untilDone(plane)
    assert.equal(after.svidAlgorithm, 'ml-dsa-44')
    assert.deepEqual(
      after.authorities.map(({ kind, algorithm, state }) => `${kind} ${algorithm} ${state}`),
      ['jwt ec-p256 active', 'x509 ml-dsa-44 active'],
    )
    assert.notEqual(keyIdOf(after, 'x509', 'active'), keyIdOf(before, 'x509', 'active'))
    const identities = await sidecar.next('identities', ({ bytes }) => bytes.includes('ml-dsa-44'))
    assert.ok(identities)
  })

  test('waits for a sidecar that refuses the bundle, names it, and goes on over a restart', async () => {
    await using plane = await startTestControlPlane()
    const { sidecar, svid } = await connect(plane, 'payments', 'nack')
    const { rotation: begun } = await plane.operator.authorities.rotate(ORDER)
    let now = await statusOf(plane)
    await eventually(async () => (now = await statusOf(plane)).rotation?.phase === 'distributing')
    assert.deepEqual(
      now.rotation?.laggards.map(({ spiffeId, instanceId }) => [spiffeId, instanceId]),
      [['spiffe://bank.test/payments', 'payments']],
    )
    assert.deepEqual([now.rotation.connected, now.rotation.followed], [1, 0])
    const second = await plane.operator.authorities.rotate({ ...ORDER, kinds: ['jwt'] })
    assert.equal(second.rotation?.id, begun?.id, 'a second order follows the first')
    await assert.rejects(plane.operator.authorities.prepare({ kind: 'x509', algorithm: '' }), {
      code: 'ERR_RPC_PRECONDITION',
      reason: 'ERR_ROTATION_UNDER_WAY',
    })
    await sidecar[Symbol.asyncDispose]()
    await plane.stop()
    await plane.start()
    assert.equal((await statusOf(plane)).rotation?.id, begun?.id)
    await using back = await connectSidecar(plane.client(svid), { instanceId: 'payments' })
    report(back, svid)
    // Nobody else is heard of, but sidecars may still be coming back: an order with a deadline need not wait for that.
    const urgent = await plane.operator.authorities.rotate({ ...ORDER, emergency: true, deadlineSeconds: 1 })
    assert.notEqual(urgent.rotation?.id, begun?.id)
    await eventually(() => back.rotations >= 1)
    report(back, await renew(plane, svid))
    await untilDone(plane)
  })

  test('in an emergency leaves laggards behind and denies the old key', async () => {
    await using plane = await startTestControlPlane()
    const { sidecar, svid } = await connect(plane, 'payments', 'nack')
    await using _sidecar = sidecar
    const old = svid.chain[0]!.authorityKeyId!
    await plane.operator.authorities.rotate({ ...ORDER, kinds: [], emergency: true, deadlineSeconds: 1 })
    const after = await untilDone(plane)
    assert.deepEqual(
      after.authorities.map(({ kind, state }) => `${kind} ${state}`),
      ['x509 active', 'jwt active'],
    )
    const { revocations } = await plane.operator.revocations.list({ pageSize: 0, pageToken: '' })
    const denied = revocations.find(({ value }) => value === old)
    assert.deepEqual([denied?.kind, denied?.createdBy], ['authority-key', 'picket rotation'])
    assert.ok(denied!.expiresAtMs > Date.now())
    assert.ok(plane.log.some(({ message }) => message === 'rotation goes on without some sidecars'))
    assert.equal(await outcomeOf(renew(plane, svid)), 'refused', 'whoever was left behind has no identity any more')
  })

  test('can be tried: it says whom it would touch and changes nothing', async () => {
    await using plane = await startTestControlPlane()
    const { sidecar, svid } = await connect(plane, 'payments')
    await using _sidecar = sidecar
    await sidecar.next('trust-bundle')
    const before = await statusOf(plane)
    let trial = await plane.operator.authorities.rotate({ ...ORDER, dryRun: true })
    await eventually(async () => {
      trial = await plane.operator.authorities.rotate({ ...ORDER, dryRun: true })
      return (trial.affected[0]?.authorityKeyIds.length ?? 0) > 0
    })
    assert.deepEqual(trial.affected, [
      {
        spiffeId: 'spiffe://bank.test/payments',
        instanceId: 'payments',
        service: 'payments',
        connected: true,
        authorityKeyIds: [svid.chain[0]!.authorityKeyId!],
      },
    ])
    const after = await statusOf(plane)
    assert.deepEqual([after.rotation, after.bundleSequence], [undefined, before.bundleSequence])
  })
})

function parse(bytes: Uint8Array): ReturnType<typeof parseTrustBundle> {
  return parseTrustBundle(Buffer.from(bytes).toString(), TRUST_DOMAIN)
}

async function outcomeOf(call: Promise<unknown>): Promise<'ok' | 'refused'> {
  return call.then(
    () => 'ok',
    () => 'refused',
  )
}
