/**
 * An unmodified Envoy takes its certificate and its authorities from a sidecar's Workload API socket, and a rotation
 * reaches it. Skipped, with the command that brings it, when there is no Envoy.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem, type X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWorkloadServer, type SecretState } from '@picket/rpc'
import { createWatch, resolveSettings, silentLogger, systemClock, systemRandom, writeFileAtomic } from '@picket/runtime'
import { sidecarSettings, startSidecar } from '@picket/sidecar'
import { eventually } from '../support/eventually.ts'
import { sdsBootstrap, startEnvoy, type SdsOptions } from '../support/envoy.ts'
import { freePort, untilListening } from '../support/ports.ts'
import { skipUnless } from '../support/programs.ts'

const NAMED = { svid: 'spiffe://bank.test/payments', bundle: 'spiffe://bank.test' }
const CASES: readonly (Omit<SdsOptions, 'socket'> & { readonly title: string })[] = [
  { title: 'by the names default and ROOTCA', svid: 'default', bundle: 'ROOTCA' },
  { title: 'by SPIFFE ID and all trust domains', svid: NAMED.svid, bundle: 'ALL' },
  { title: 'by SPIFFE ID and trust domain, incrementally', ...NAMED, delta: true },
]

for (const { title, ...secrets } of CASES) {
  test(`an Envoy takes its certificates over SDS ${title}`, { skip: skipUnless('envoy') }, async () => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'picket-sds-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const authority = createTestAuthority('bank.test')
    const files = inputFiles(folder)
    await files.write(authority.issueSvid('/payments'), encodeTrustBundlePem(authority.bundle))
    const socket = join(folder, 'workload', 'api.sock')
    stack.use(await startFileSidecar(files, socket))
    const port = await freePort()
    stack.use(startEnvoy(folder, sdsBootstrap(port, { socket, ...secrets })))
    await untilListening(port)
    const log = (): Promise<string> => readFile(join(folder, 'envoy.log'), 'utf8')

    const caller = authority.issueSvid('/gateway')
    const first = await eventually(() => call(port, caller)).catch(async (thrown: unknown) => {
      throw new Error(await log(), { cause: thrown })
    })
    assert.equal(first.status, 200)
    assert.match(first.peer.subjectAltName ?? '', /spiffe:\/\/bank\.test\/payments/)

    const stranger = createTestAuthority('bank.test').issueSvid('/gateway')
    assert.equal(await call(port, stranger), undefined, 'an authority that is not in the bundle')
    const posing = authority.issueSvid('/gateway', { uris: ['spiffe://other.test/gateway'] })
    assert.equal(await call(port, posing), undefined, 'a trust domain that the authority does not stand for')
    assert.equal(await call(port, undefined), undefined, 'nobody')

    const next = authority.issueSvid('/payments')
    await files.write(next, encodeTrustBundlePem(authority.bundle))
    const second = await eventually(async () => {
      const answer = await call(port, caller)
      return answer?.peer.serialNumber === first.peer.serialNumber ? undefined : answer
    })
    assert.equal(second.peer.serialNumber.toLowerCase(), next.chain[0]?.serialNumber)
    assert.equal((await log()).match(/rejected|NACK/gi), null)
  })
}

test(
  'an Envoy verifies each peer with the bundle of the peer’s own trust domain',
  { skip: skipUnless('envoy') },
  async () => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'picket-sds-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const [bank, partner] = [createTestAuthority('bank.test'), createTestAuthority('partner.test')]
    const own = bank.issueSvid('/payments')
    const socket = join(folder, 'api.sock')
    const svids = [
      { spiffeId: own.id.uri, chain: encodeCertificatesPem(own.chain), key: encodePrivateKeyPem(own.privateKey) },
    ]
    const bundles = [bank, partner].map(({ bundle }) => {
      return { trustDomain: bundle.trustDomain.id, authorities: encodeTrustBundlePem(bundle) }
    })
    stack.use(await serveSecrets(socket, { svids, bundles }))
    const port = await freePort()
    stack.use(startEnvoy(folder, sdsBootstrap(port, { socket, svid: 'default', bundle: 'ALL' })))
    await untilListening(port)
    const first = await eventually(() => call(port, bank.issueSvid('/gateway')))
    assert.equal(first.status, 200)
    assert.equal((await call(port, partner.issueSvid('/gateway')))?.status, 200)
    const posing = partner.issueSvid('/gateway', { uris: ['spiffe://bank.test/gateway'] })
    assert.equal(await call(port, posing), undefined, 'the partner’s authority does not stand for the bank')
  },
)

/** Secret discovery alone, for secrets that a sidecar with files does not have. */
async function serveSecrets(path: string, secrets: SecretState): Promise<AsyncDisposable> {
  const nothing = (): never => assert.fail('only secrets are asked for')
  const handlers = {
    x509Svids: nothing,
    x509Bundles: nothing,
    jwtBundles: nothing,
    fetchJwtSvids: nothing,
    validateJwtSvid: nothing,
  }
  const server = createWorkloadServer(
    { clock: systemClock, logger: silentLogger },
    { ...handlers, secrets: () => createWatch<SecretState>(secrets) },
  )
  const listener = createServer((connection) => server.serve(connection, () => Promise.resolve()))
  listener.listen(path)
  await once(listener, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      listener.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

interface Files {
  readonly given: Readonly<Record<string, string>>
  write(svid: X509Svid, bundle: string): Promise<void>
}

function inputFiles(folder: string): Files {
  const given = {
    svid: join(folder, 'svid.pem'),
    key: join(folder, 'svid.key'),
    trustBundle: join(folder, 'bundle.pem'),
  }
  return {
    given,
    async write(svid, bundle) {
      await writeFileAtomic(given.trustBundle, bundle)
      await writeFileAtomic(given.key, encodePrivateKeyPem(svid.privateKey), 0o600)
      await writeFileAtomic(given.svid, encodeCertificatesPem(svid.chain))
    },
  }
}

async function startFileSidecar({ given }: Files, workloadApi: string): Promise<AsyncDisposable> {
  const raws = Object.entries({ ...given, workloadApi, admin: '127.0.0.1:0', accessLog: 'none' })
  const settings = resolveSettings(sidecarSettings, [raws.map(([key, text]) => ({ key, text, place: key }))])
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger }
  return await startSidecar(deps, settings, new AbortController().signal)
}

interface Answer {
  readonly status: number
  readonly peer: X509Certificate
}

/** Undefined: the handshake was refused, or there is nobody yet. */
function call(port: number, caller: X509Svid | undefined): Promise<Answer | undefined> {
  const own = caller && { cert: encodeCertificatesPem(caller.chain), key: encodePrivateKeyPem(caller.privateKey) }
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false, ...own }, (response) => {
      const peer = (response.socket as TLSSocket).getPeerX509Certificate()!
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, peer }))
      response.on('error', () => resolve(undefined))
    })
    asked.on('error', () => resolve(undefined))
    asked.end()
  })
}
