import assert from 'node:assert/strict'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { encodeTrustBundle, encodeTrustBundlePem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { RpcError, type Hello, type Nack, type Report } from '@picket/rpc'
import { Secret, systemClock } from '@picket/runtime'
import { pushAll, setUpAgent } from './testing-agent.ts'
import { eventually } from './testing.ts'

test('attests with the token, says hello with nothing held, acknowledges each kind and reports', async () => {
  await using t = await setUpAgent()
  await using sidecar = await t.run(t.source)
  assert.equal(sidecar.agent.svid.value.id.uri, 'spiffe://bank.test/payments')
  await pushAll(t.plane)
  const messages = t.plane.streams[0]?.messages ?? []
  const hello = messages[0] as Hello
  assert.deepEqual([hello.kind, hello.held, hello.advertise], ['hello', [], '127.0.0.1:7443'])
  const report = messages.find((message): message is Report => message.kind === 'report')
  assert.equal(report?.svidSerial, sidecar.agent.svid.value.chain[0]?.serialNumber)
  assert.deepEqual([report?.requestsAllowed, report?.requestsDenied], [1, 2])
  assert.equal(sidecar.policy.engine.value?.revision, 'p1')
  assert.equal(sidecar.agent.resources.serviceConfig.value?.service.name, 'payments')
})

test('a restart while the control plane is away serves from the last good state, without a token', async () => {
  await using t = await setUpAgent()
  {
    await using _sidecar = await t.run(t.source)
    await pushAll(t.plane)
  }
  await t.plane.stop()
  {
    await using sidecar = await t.run({ ...t.source, joinToken: undefined })
    assert.equal(sidecar.agent.svid.value.id.uri, 'spiffe://bank.test/payments')
    assert.equal(sidecar.policy.engine.value?.revision, 'p1')
    const seen = t.plane.streams.length
    await t.plane.start()
    const stream = await eventually('the stream', () => t.plane.streams[seen])
    const hello = (await eventually('its hello', () => stream.messages[0])) as Hello
    assert.deepEqual(hello.held.map(({ revision }) => revision).toSorted(), ['e1', 'p1', 's1', 't1'])
  }
  assert.deepEqual(t.plane.calls, ['attest'])
})

test('without a token and without state it does not start, and says what to do', async () => {
  await using t = await setUpAgent()
  await assert.rejects(t.run({ ...t.source, joinToken: undefined }), {
    code: 'ERR_NO_JOIN_TOKEN',
    message: /token create/,
  })
})

test('a wrong token ends the start with the reason, and writes nothing', async () => {
  await using t = await setUpAgent()
  await assert.rejects(t.run({ ...t.source, joinToken: new Secret('token-2') }), { code: 'ERR_ATTESTATION_REFUSED' })
  assert.deepEqual(await readdir(t.source.state?.dir ?? ''), ['seal.key'])
})

test('a control plane of another authority gets no token', async () => {
  await using t = await setUpAgent()
  const stranger = createTestAuthority('bank.test')
  await writeFile(t.trustBundleFile, encodeTrustBundlePem(stranger.bundle))
  await assert.rejects(t.run(t.source), { code: 'ERR_ATTESTATION_REFUSED' })
  assert.deepEqual(t.plane.calls, [])
})

test('waits for a control plane that is not there yet', async () => {
  await using t = await setUpAgent()
  await t.plane.stop()
  const starting = t.run(t.source)
  await systemClock.sleep(100)
  await t.plane.start()
  await using sidecar = await starting
  assert.ok(sidecar.logged('no first svid yet'))
})

test('a start that waits can be given up', async () => {
  await using t = await setUpAgent()
  await t.plane.stop()
  const stop = new AbortController()
  const starting = t.run(t.source, stop.signal)
  await systemClock.sleep(50)
  stop.abort(new Error('enough'))
  await assert.rejects(starting)
})

test('the pinned bundle file must be there, be a bundle, and hold an authority', async (context) => {
  await using t = await setUpAgent()
  for (const [what, content] of [
    ['empty', ''],
    ['garbage', 'hello'],
    ['a bundle of nobody', '{"keys":[]}'],
    ['too large', ' '.repeat(1024 * 1024 + 1)],
  ] as const) {
    await context.test(what, async () => {
      await writeFile(t.trustBundleFile, content)
      await assert.rejects(t.run(t.source), { code: 'ERR_TRUST_BUNDLE_FILE' })
    })
  }
  await rm(t.trustBundleFile)
  await assert.rejects(t.run(t.source), { code: 'ERR_TRUST_BUNDLE_FILE', message: /ENOENT/ })
})

test('when the operator pins another authority, what the old one vouched for is not served', async () => {
  await using t = await setUpAgent()
  {
    await using _sidecar = await t.run(t.source)
    await pushAll(t.plane)
  }
  const stranger = createTestAuthority('bank.test')
  await writeFile(t.trustBundleFile, encodeTrustBundlePem(stranger.bundle))
  await assert.rejects(t.run({ ...t.source, joinToken: undefined }), { code: 'ERR_NO_JOIN_TOKEN' })
})

test('what is bad is refused with a code and the good one stays', async () => {
  await using t = await setUpAgent()
  await using sidecar = await t.run(t.source)
  await pushAll(t.plane)
  const { authority } = t.plane
  const stream = await eventually('the stream', () => t.plane.streams.at(-1))
  const newer = { ...authority.bundle, sequence: 5n }
  stream.push('trust-bundle', 't5', encodeTrustBundle(newer))
  await eventually('the newer bundle', () => sidecar.agent.resources.trustBundle.value.sequence === 5n)
  const bad = [
    ['trust-bundle', 'garbage', 'hello', 'ERR_TRUST_BUNDLE'],
    ['trust-bundle', 'empty', '{"keys":[],"spiffe_sequence":9}', 'ERR_TRUST_BUNDLE_EMPTY'],
    ['trust-bundle', 'older', encodeTrustBundle(authority.bundle), 'ERR_TRUST_BUNDLE_ROLLBACK'],
    ['policy-bundle', 'bad', 'bad', 'ERR_RPC_INVALID'],
    ['endpoints', 'bad', '{"services":[{"name":"x"}]}', 'ERR_RPC_INVALID'],
    ['service-config', 'bad', '[]', 'ERR_RPC_INVALID'],
  ] as const
  for (const [kind, revision, content, code] of bad) {
    stream.push(kind, revision, content)
    const nack = await eventually(`the refusal of ${kind} ${revision}`, () =>
      stream.messages.find(
        (message): message is Nack =>
          message.kind === 'nack' && message.revision === revision && message.resource === kind,
      ),
    )
    assert.equal(nack.code, code)
  }
  const { resources } = sidecar.agent
  assert.equal(t.plane.streams.length, 1, 'a bundle that the control plane still passes moves no stream')
  assert.equal(resources.trustBundle.value.sequence, 5n)
  assert.equal(sidecar.policy.engine.value?.revision, 'p1')
  assert.equal(resources.endpoints.value.services[0]?.name, 'ledger')
  assert.equal(resources.serviceConfig.value?.service.name, 'payments')
})

test('a pushed command renews under a new key, and the stream moves to it', async () => {
  await using t = await setUpAgent()
  await using sidecar = await t.run(t.source)
  await pushAll(t.plane)
  const before = sidecar.agent.svid.value
  t.plane.streams[0]?.rotate()
  await eventually('the new svid', () => sidecar.agent.svid.value !== before)
  const moved = await eventually('the new stream', () => t.plane.streams[1])
  const report = await eventually('its report', () =>
    moved.messages.find((message): message is Report => message.kind === 'report'),
  )
  assert.equal(report.svidRotations, 1)
  assert.equal(report.svidSerial, sidecar.agent.svid.value.chain[0]?.serialNumber)
  assert.deepEqual(t.plane.calls, ['attest', 'issue'])
})

test('a renewed svid is the one that a restart finds', async () => {
  await using t = await setUpAgent()
  let serialNumber: string | undefined
  {
    await using sidecar = await t.run(t.source)
    const before = sidecar.agent.svid.value
    const stream = await eventually('the stream', () => t.plane.streams[0])
    stream.rotate()
    await eventually('the new svid', () => sidecar.agent.svid.value !== before)
    serialNumber = sidecar.agent.svid.value.chain[0]?.serialNumber
  }
  await t.plane.stop()
  await using sidecar = await t.run({ ...t.source, joinToken: undefined })
  assert.equal(sidecar.agent.svid.value.chain[0]?.serialNumber, serialNumber)
})

test('with an expired svid it attests anew, for the same identity, and does not take another', async () => {
  await using t = await setUpAgent()
  t.plane.behaviour.ttlMs = 1200
  await using sidecar = await t.run(t.source)
  const first = sidecar.agent.svid.value
  t.plane.behaviour.failure = new RpcError('ERR_RPC_UNAVAILABLE', 'later')
  await eventually('expiry', () => systemClock.now() > first.notAfter.getTime())
  t.plane.behaviour.ttlMs = 3_600_000
  t.plane.behaviour.path = '/ledger'
  t.plane.behaviour.failure = undefined
  await eventually('the refusal', () => sidecar.logged('svid renewal failed, the old one stays'))
  assert.equal(sidecar.agent.svid.value, first)
  t.plane.behaviour.path = '/payments'
  await eventually('the new svid', () => sidecar.agent.svid.value !== first)
  assert.ok(t.plane.calls.filter((call) => call === 'attest').length > 1)
})
