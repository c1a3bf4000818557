import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSpiffeId, verifyX509Svid } from '@picket/identity'
import { encodeIdentities, encodeRevocations, RpcError, type Hello } from '@picket/rpc'
import { setUpAgent, pushAll } from './testing-agent.ts'
import { eventually } from './testing.ts'

test('a restart while the control plane is away still refuses whom the deny-list names', async () => {
  await using t = await setUpAgent()
  const ledger = parseSpiffeId('spiffe://bank.test/ledger')
  const subjects = [{ kind: 'spiffe-id', value: ledger.uri }] as const
  {
    await using sidecar = await t.run(t.source)
    const stream = await eventually('a stream', () => t.plane.streams.at(-1))
    stream.push('revocations', 'r1', encodeRevocations({ subjects, crl: Buffer.from('crl') }))
    await eventually('the list', () => sidecar.agent.resources.revocations.value.subjects.length === 1)
  }
  await t.plane.stop()
  await using sidecar = await t.run({ ...t.source, joinToken: undefined })
  const { bundles, crl } = sidecar.agent.resources
  assert.deepEqual(bundles.value.revocations?.findX509(ledger, []), subjects[0])
  assert.equal(String(crl.value), 'crl')
  const denied = t.plane.authority.issueSvid('/ledger')
  const verdict = verifyX509Svid(denied.chain, bundles.value, new Date())
  assert.equal(verdict.kind === 'refused' && verdict.code, 'revoked')
})

test('a sidecar that is denied gives workloads nothing, and all again when it is taken back', async () => {
  await using t = await setUpAgent()
  await using sidecar = await t.run(t.source)
  await pushAll(t.plane)
  const { agent } = sidecar
  const record = { spiffeId: agent.svid.value.id, hint: 'own', selectors: [], federatesWith: [], ttlSeconds: 0 }
  const identities = encodeIdentities({ identities: [{ ...record, keyAlgorithm: 'ec-p256', dnsNames: [] }] })
  t.plane.streams[0]!.push('identities', 'i1', identities)
  await eventually('the identity', () => agent.identities.value[0]?.hint === 'own')
  t.plane.streams[0]!.end(new RpcError('ERR_RPC_DENIED', 'no registration entry matches'))
  await eventually('its end', () => agent.identities.value.length === 0)
  const next = await eventually('the next stream', () => t.plane.streams[1])
  const hello = (await eventually('its hello', () => next.messages[0])) as Hello
  assert.ok(!hello.held.some(({ kind }) => kind === 'identities'))
  next.push('identities', 'i1', identities)
  await eventually('the identity again', () => agent.identities.value.length === 1)
})
