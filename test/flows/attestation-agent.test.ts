/** What a sidecar shows of its evidence, and when, against a real control plane. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { openAgent, type Agent, type ControlPlaneSource } from '@picket/agent'
import { TRUST_DOMAIN } from '@picket/control-plane/testing'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { createMetrics, createWatch, Secret, systemClock, systemRandom } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import { startEvidenceSite, type EvidenceSite } from '../support/evidence-site.ts'

suite('a sidecar’s agent', () => {
  let site: EvidenceSite
  before(async () => {
    site = await startEvidenceSite()
  })
  after(() => site?.[Symbol.asyncDispose]())

  async function open(source: Partial<ControlPlaneSource>): Promise<Agent> {
    const policy = { engine: createWatch(undefined), activate: () => Promise.reject(new Error('no policy here')) }
    const deps = { clock: systemClock, random: systemRandom, logger: createRecordingLogger(), metrics: createMetrics() }
    const usual: ControlPlaneSource = {
      kind: 'control-plane',
      address: site.plane.controlPlane.address,
      trustDomain: TRUST_DOMAIN,
      trustBundleFile: join(site.plane.dataDir, 'trust-bundle.pem'),
      joinToken: undefined,
      joinTokenFile: undefined,
      state: undefined,
      advertise: undefined,
    }
    return openAgent({ ...deps, policy }, { ...usual, ...source }, AbortSignal.timeout(10_000))
  }

  test('shows a service account token, or a certificate, and gets its identity', async () => {
    await site.createEntry('spiffe://bank.test/agents/{k8s.sa}', ['k8s:ns:agents'])
    await site.createEntry('spiffe://bank.test/machines', ['x509pop:san:dns:agent.corp.test'])
    const kubernetesTokenFile = join(site.folder, 'service-account-token')
    await writeFile(
      kubernetesTokenFile,
      site.api.createToken({ namespace: 'agents', account: 'one', audiences: ['picket'] }),
    )
    await using pod = await open({ kubernetesTokenFile })
    assert.equal(pod.svid.value.id.uri, 'spiffe://bank.test/agents/one')
    const machine = site.machines.issueSvid('/x', { uris: [], dnsNames: ['agent.corp.test'] })
    const x509Pop = { certificateFile: join(site.folder, 'machine.pem'), keyFile: join(site.folder, 'machine.key') }
    await writeFile(x509Pop.certificateFile, encodeCertificatesPem(machine.chain))
    await writeFile(x509Pop.keyFile, encodePrivateKeyPem(machine.privateKey))
    await using host = await open({ kubernetesTokenFile, x509Pop })
    assert.equal(host.svid.value.id.uri, 'spiffe://bank.test/machines', 'the certificate comes first')
  })

  test('that was stopped for longer than its SVID lives comes back from its sealed state, with nothing else to show', async () => {
    await site.plane.register('sleeper', 5)
    const { token } = await site.plane.operator.admin.createToken({ selectors: ['service:sleeper'], ttlSeconds: 0 })
    const state = { dir: join(site.folder, 'state'), sealKey: undefined, sealKeyFile: undefined }
    const first = await open({ state, joinToken: new Secret(token) })
    const { id, notAfter } = first.svid.value
    await first[Symbol.asyncDispose]()
    await systemClock.sleep(notAfter.getTime() - systemClock.now() + 100)
    await assert.rejects(open({}), { code: 'ERR_NO_JOIN_TOKEN' })
    await using again = await open({ state })
    assert.equal(again.svid.value.id.uri, id.uri)
    assert.ok(again.svid.value.notAfter > notAfter)
  })
})
