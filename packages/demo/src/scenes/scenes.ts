import { createTestAuthority } from '@picket/identity/testing'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { systemClock } from '@picket/runtime'
import type { Mesh } from '../mesh/mesh.ts'
import { frozenPaymentsPolicy } from '../bank/policy-variants.ts'
import { callsSince, expect, markLogs, type Scene, type SceneResult } from './scene.ts'
import { callAsStranger } from './strangers.ts'

const payment = { from: 'alice', to: 'bob', amountMinor: 1250 }

export const scenes: readonly Scene[] = [
  { title: 'A customer pays: gateway → payments → accounts, fraud, ledger', play: allowedChain },
  { title: 'A compromised support portal tries the ledger', play: lateralMovement },
  { title: 'A caller without a certificate', play: (mesh) => stranger(mesh, {}, 'no-certificate') },
  { title: 'A caller with a certificate of another trust domain', play: foreignTrustDomain },
  { title: 'A policy pushed live freezes payments, and another thaws them', play: livePolicy },
  { title: 'SVIDs rotate under load', play: rotationUnderLoad },
]

async function allowedChain(mesh: Mesh): Promise<SceneResult> {
  const marks = await markLogs(mesh)
  const customer = mesh.service('gateway').appClient
  const balance = await customer.get('gateway', '/accounts/alice')
  const paid = await customer.post('gateway', '/payments', payment)
  const calls = await callsSince(mesh, marks, 5)
  return {
    calls,
    expectations: [
      expect('the balance is read', balance.status === 200, `${balance.status} ${balance.body}`),
      expect('the payment is booked', paid.status === 201, `${paid.status} ${paid.body}`),
      expect(
        'five calls crossed the mesh, each one allowed',
        calls.length === 5 && calls.every((c) => c.decision === 'allow'),
        calls.length,
      ),
    ],
  }
}

async function lateralMovement(mesh: Mesh): Promise<SceneResult> {
  const marks = await markLogs(mesh)
  const portal = mesh.service('support-portal').client
  const read = await portal.get('ledger', '/entries')
  const write = await portal.post('ledger', '/entries', payment)
  const calls = await callsSince(mesh, marks, 2)
  const named = (read.headers['x-request-id'] ?? '') !== '' && read.body.includes(String(read.headers['x-request-id']))
  return {
    calls,
    expectations: [
      expect('reading the ledger is denied', read.status === 403, `${read.status} ${read.body}`),
      expect('writing to the ledger is denied', write.status === 403, `${write.status} ${write.body}`),
      expect('the refusal names its decision id', named, read.headers['x-request-id'] ?? 'no id'),
    ],
  }
}

async function stranger(
  mesh: Mesh,
  credentials: { cert?: string; key?: string },
  reason: string,
): Promise<SceneResult> {
  const marks = await markLogs(mesh)
  const answer = await callAsStranger(mesh.service('ledger').inbound, credentials)
  const calls = await callsSince(mesh, marks, 1)
  return {
    calls,
    expectations: [
      expect('the connection is refused before any request', answer.startsWith('refused'), answer),
      expect(
        `the refusal is in the ledger's access log as ${reason}`,
        calls.some((call) => call.reason === reason),
        calls,
      ),
    ],
  }
}

async function foreignTrustDomain(mesh: Mesh): Promise<SceneResult> {
  const authority = createTestAuthority('other-bank.test')
  const svid = authority.issueSvid('/payments')
  const cert = encodeCertificatesPem(svid.chain)
  return stranger(mesh, { cert, key: encodePrivateKeyPem(svid.privateKey) }, 'no-bundle')
}

async function livePolicy(mesh: Mesh): Promise<SceneResult> {
  const marks = await markLogs(mesh)
  const customer = mesh.service('gateway').appClient
  const pids = mesh.services.map(({ sidecar }) => sidecar.pid)
  const before = await customer.post('gateway', '/payments', payment)
  const { frozen, thawed } = await frozenPaymentsPolicy(mesh.directory)
  await mesh.pushPolicy(frozen)
  const during = await customer.post('gateway', '/payments', payment)
  await mesh.pushPolicy(thawed)
  const after = await customer.post('gateway', '/payments', payment)
  const calls = await callsSince(mesh, marks, 9)
  const samePids = mesh.services.every(({ sidecar }, index) => sidecar.running && sidecar.pid === pids[index])
  return {
    calls: calls.filter(({ callee }) => callee === 'payments'),
    expectations: [
      expect('allowed before', before.status === 201, before.status),
      expect('denied while frozen', during.status === 403, `${during.status} ${during.body}`),
      expect('allowed again after', after.status === 201, after.status),
      expect('no sidecar was restarted', samePids, pids.join(' ')),
    ],
  }
}

async function rotationUnderLoad(mesh: Mesh): Promise<SceneResult> {
  const customer = mesh.service('gateway').appClient
  const serials = async (): Promise<string[]> =>
    (await mesh.operator.status()).sidecars.map(({ svidSerial }) => svidSerial)
  const before = await serials()
  const load = new AbortController()
  const counts = { answered: 0, failed: 0 }
  const callers = Array.from({ length: 8 }, async () => {
    while (!load.signal.aborted) {
      const { status } = await customer.get('gateway', '/accounts/bob')
      counts.answered += 1
      if (status !== 200) counts.failed += 1
    }
  })
  await systemClock.sleep(300)
  for (const { name } of mesh.services) await mesh.rotate(name)
  await systemClock.sleep(300)
  load.abort()
  await Promise.all(callers)
  const renewed = (await serials()).filter((serial) => !before.includes(serial)).length
  return {
    calls: [],
    expectations: [
      expect(
        'every sidecar has a new serial number',
        renewed === mesh.services.length,
        `${renewed} of ${mesh.services.length}`,
      ),
      expect(
        'no request failed',
        counts.failed === 0 && counts.answered > 0,
        `${counts.failed} of ${counts.answered} failed`,
      ),
    ],
  }
}
