import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request, type RequestOptions } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  generateKeyPair,
  parseTrustBundle,
  toJwtAuthority,
  type TrustBundle,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { verifyPeer } from '@picket/mtls'
import { createMetrics, createTasks, createWatch, systemClock, type WatchSource } from '@picket/runtime'
import { createRecordingLogger, FakeClock, settle, type LogEntry } from '@picket/runtime/testing'
import {
  openBundleEndpoint,
  startBundleEndpoint,
  type BundleEndpoint,
  type BundleEndpointSettings,
} from './bundle-endpoint.ts'
import { parseJwtIssuer } from './oidc.ts'
import { issueWebCertificate, toPem } from './testing-endpoint.ts'

const authority = createTestAuthority('bank.test')
const anywhere = { host: '127.0.0.1', port: 0 }

interface Bench extends AsyncDisposable {
  readonly endpoint: BundleEndpoint
  readonly bundle: WatchSource<TrustBundle>
  readonly svid: WatchSource<X509Svid>
  readonly clock: FakeClock
  readonly log: readonly LogEntry[]
  readonly metrics: ReturnType<typeof createMetrics>
  get(path: string, options?: RequestOptions): Promise<{ status: number; response: IncomingMessage; body: string }>
  tls(options?: ConnectionOptions): Promise<TLSSocket>
}

async function startBench(settings: Partial<BundleEndpointSettings> = {}, clock = new FakeClock()): Promise<Bench> {
  const stack = new AsyncDisposableStack()
  const tasks = stack.use(createTasks())
  const logger = createRecordingLogger()
  const metrics = createMetrics()
  const svid = createWatch(authority.issueSvid('/picket/control-plane'))
  const bundle = createWatch<TrustBundle>({ ...authority.bundle, sequence: 2n ** 60n + 1n })
  const deps = { clock, logger, metrics, tasks, svid, bundle }
  const plain = { bundleEndpointCertificate: undefined, bundleEndpointKey: undefined, jwtIssuer: undefined }
  const all = { bundleEndpointProfile: 'https_spiffe' as const, ...plain, ...settings }
  try {
    const endpoint = stack.use(await startBundleEndpoint(deps, anywhere, all))
    const { port } = endpoint.address
    return {
      endpoint,
      bundle,
      svid,
      clock,
      metrics,
      log: logger.entries,
      get: (path, options = {}) =>
        new Promise((resolve, reject) => {
          const asked = request({ port, path, rejectUnauthorized: false, agent: false, ...options }, (response) => {
            let body = ''
            response.setEncoding('utf8').on('data', (text: string) => (body += text))
            response.on('end', () => resolve({ status: response.statusCode!, response, body }))
          })
          asked.on('error', reject).end()
        }),
      async tls(options = {}) {
        const socket = connect({ port, rejectUnauthorized: false, ...options })
        socket.on('error', () => {})
        await new Promise<void>((resolve) => {
          socket.once('secureConnect', () => resolve())
          socket.once('close', () => resolve())
        })
        return socket
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (thrown) {
    await stack.disposeAsync()
    throw thrown
  }
}

suite('the bundle endpoint', () => {
  test('gives the newest bundle, with its keys, its number and how often to come back', async () => {
    await using bench = await startBench()
    const jwtAuthorities = [toJwtAuthority('key', generateKeyPair().publicKey)]
    bench.bundle.set({ ...bench.bundle.value, jwtAuthorities, sequence: 2n ** 60n + 2n })
    const { status, response, body } = await bench.get('/')
    assert.deepEqual([status, response.headers['content-type']], [200, 'application/json'])
    const bundle = parseTrustBundle(body, authority.trustDomain)
    assert.deepEqual([bundle.sequence, bundle.refreshHintSeconds], [2n ** 60n + 2n, 300])
    assert.deepEqual([bundle.x509Authorities.length, bundle.jwtAuthorities.length], [1, 1])
    bench.bundle.set({ ...bench.bundle.value, refreshHintSeconds: 60 })
    assert.equal(parseTrustBundle((await bench.get('/?again')).body, authority.trustDomain).refreshHintSeconds, 60)
  })

  test('tells who knows the newest bundle that there is none newer', async () => {
    await using bench = await startBench()
    const { etag } = (await bench.get('/')).response.headers
    for (const tags of [etag, `"x", W/${etag}`, '*']) {
      const { status, response, body } = await bench.get('/', { headers: { 'if-none-match': tags } })
      assert.deepEqual([status, response.headers.etag, body], [304, etag, ''])
    }
    assert.equal((await bench.get('/', { headers: { 'if-none-match': '"x", bare' } })).status, 200)
    bench.bundle.set({ ...bench.bundle.value, sequence: 2n ** 61n })
    assert.equal((await bench.get('/', { headers: { 'if-none-match': etag } })).status, 200)
  })

  test('answers HEAD as GET without the body, and nothing else', async () => {
    await using bench = await startBench()
    const { body: full } = await bench.get('/')
    const head = await bench.get('/', { method: 'HEAD' })
    assert.deepEqual([head.status, head.response.headers['content-length'], head.body], [200, String(full.length), ''])
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const { status, response } = await bench.get('/', { method })
      assert.deepEqual([status, response.headers.allow], [405, 'GET, HEAD'], method)
    }
    for (const path of ['/bundle', '/..', '//', '/keys', '/.well-known/openid-configuration']) {
      assert.equal((await bench.get(path)).status, 404, path)
    }
    assert.match(bench.metrics.render(), /picket_bundle_endpoint_requests_total\{status="404"\} 5/)
  })

  test('serves OpenID Connect discovery where there is an issuer', async () => {
    await using bench = await startBench({ jwtIssuer: parseJwtIssuer('https://id.bank.test/mesh') })
    for (const path of ['/mesh/.well-known/openid-configuration', '/mesh/keys']) {
      const { status, response } = await bench.get(path)
      assert.deepEqual([status, response.headers['content-type']], [200, 'application/json'])
    }
    const jwtAuthorities = [toJwtAuthority('newest', generateKeyPair().publicKey)]
    bench.bundle.set({ ...bench.bundle.value, jwtAuthorities })
    assert.match((await bench.get('/mesh/keys')).body, /"kid": "newest"/)
  })

  test('proves itself with its SVID, the newest one', async () => {
    await using bench = await startBench()
    const id = bench.svid.value.id
    const first = await bench.tls()
    assert.equal(verifyPeer(first, authority.bundles, new Date(), id).kind, 'verified')
    bench.svid.set(authority.issueSvid('/picket/control-plane'))
    const second = await bench.tls()
    assert.ok(second.getPeerX509Certificate()?.raw.equals(bench.svid.value.chain[0]!.der))
    for (const socket of [first, second]) socket.destroy()
  })

  test('speaks TLS 1.3, and 1.2 with what Mozilla calls intermediate, and nothing older', async () => {
    await using bench = await startBench()
    const offers: [ConnectionOptions, string | null][] = [
      [{}, 'TLSv1.3'],
      [{ maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
      [{ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' }, 'TLSv1.2'],
      [{ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0' }, null],
      [{ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }, null],
    ]
    for (const [offer, protocol] of offers) {
      const socket = await bench.tls(offer)
      assert.equal(socket.getProtocol(), protocol, JSON.stringify(offer))
      socket.destroy()
    }
    assert.equal((await bench.get('/')).status, 200)
  })

  test('cuts off whoever is slow, at each step', async () => {
    await using bench = await startBench()
    const { port } = bench.endpoint.address
    const plain = connectPlain({ port, host: '127.0.0.1' })
    await once(plain, 'connect')
    const idle = await bench.tls()
    const dripping = await bench.tls()
    dripping.write('GET / HTTP/1.1\r\nhost: x\r\nx-drip: ')
    while (bench.clock.pendingMs.length < 3) await settle()
    const closed = [plain, idle, dripping].map((socket) => (socket.resume(), once(socket, 'close')))
    await bench.clock.advance(30_000)
    const timers = new AbortController()
    const late = sleep(2000, 'late', { signal: timers.signal }).catch(() => 'late') // sooner than Node's own limits would do it
    assert.notEqual(await Promise.race([Promise.all(closed), late]), 'late')
    timers.abort()
    assert.deepEqual(bench.clock.pendingMs, [])
    assert.equal((await bench.get('/')).status, 200)
  })

  test('serves although a crowd sits on its connections', async () => {
    await using bench = await startBench()
    const { port } = bench.endpoint.address
    const crowd = Array.from({ length: 520 }, () => connectPlain({ port, host: '127.0.0.1' }).on('error', () => {}))
    await Promise.all(crowd.map((socket) => once(socket, 'connect')))
    assert.equal((await bench.get('/')).status, 200)
    assert.ok(bench.clock.pendingMs.length <= 512)
    for (const socket of crowd) socket.destroy()
  })

  test('refuses heads that are too large, and survives what is no HTTP and no TLS', async () => {
    await using bench = await startBench()
    assert.equal((await bench.get('/', { headers: { 'x-filler': 'x'.repeat(10_000) } })).status, 431)
    for (const garbage of ['\0'.repeat(100), 'GET / HTTP/9.9\r\n\r\n', 'NO\r\n\r\n']) {
      const socket = await bench.tls()
      socket.resume().write(garbage)
      await once(socket, 'close')
    }
    const plain = connectPlain({ port: bench.endpoint.address.port, host: '127.0.0.1' })
    plain.on('error', () => {}).resume()
    plain.write('GET / HTTP/1.1\r\n\r\n')
    await once(plain, 'close')
    assert.equal((await bench.get('/')).status, 200)
  })

  test('stops at once, whoever is connected', async () => {
    const bench = await startBench()
    const plain = connectPlain({ port: bench.endpoint.address.port, host: '127.0.0.1' })
    await once(plain, 'connect')
    plain.on('error', () => {}).resume()
    const socket = await bench.tls()
    socket.resume()
    const gone = Promise.all([once(plain, 'close'), once(socket, 'close')])
    await bench[Symbol.asyncDispose]()
    await gone
  })

  test('says when its port is taken', async () => {
    await using bench = await startBench()
    const deps = { clock: systemClock, logger: createRecordingLogger(), metrics: createMetrics() }
    await using tasks = createTasks()
    const settings = { bundleEndpointProfile: 'https_spiffe' as const, jwtIssuer: undefined }
    const files = { bundleEndpointCertificate: undefined, bundleEndpointKey: undefined }
    const { svid, bundle, endpoint } = bench
    const second = startBundleEndpoint({ ...deps, tasks, svid, bundle }, endpoint.address, { ...settings, ...files })
    await assert.rejects(second, { code: 'ERR_PORT_IN_USE' })
  })
})

suite('the bundle endpoint of the settings', () => {
  const without = { bundleEndpoint: undefined, bundleEndpointProfile: 'https_spiffe' as const, jwtIssuer: undefined }
  const files = { bundleEndpointCertificate: undefined, bundleEndpointKey: undefined }

  async function open(settings: Partial<BundleEndpointSettings>): Promise<BundleEndpoint | undefined> {
    await using tasks = createTasks()
    const [svid, bundle] = [createWatch(authority.issueSvid('/x')), createWatch(authority.bundle)]
    const deps = { clock: systemClock, logger: createRecordingLogger(), metrics: createMetrics(), tasks, svid, bundle }
    return await openBundleEndpoint(deps, { ...without, ...files, ...settings })
  }

  test('is not there unless it is wanted', async () => assert.equal(await open({}), undefined))

  test('is missed when there is a certificate for it', async () => {
    for (const name of ['bundleEndpointCertificate', 'bundleEndpointKey']) {
      await assert.rejects(open({ [name]: 'web.pem' }), { code: 'ERR_BUNDLE_ENDPOINT' })
    }
  })
})

suite('the bundle endpoint with a web certificate', () => {
  const webAuthority = createTestAuthority('web.test')
  const folder = mkdtempSync(join(tmpdir(), 'picket-endpoint-'))
  after(() => rmSync(folder, { recursive: true }))
  const files = { bundleEndpointCertificate: join(folder, 'cert.pem'), bundleEndpointKey: join(folder, 'key.pem') }
  const web = { bundleEndpointProfile: 'https_web' as const, ...files }

  function write(dnsName: string): X509Svid {
    const made = issueWebCertificate(webAuthority, dnsName)
    writeFileSync(files.bundleEndpointCertificate, encodeCertificatesPem(made.chain))
    writeFileSync(files.bundleEndpointKey, encodePrivateKeyPem(made.privateKey))
    return made
  }
  const asWebClient = { rejectUnauthorized: true, ca: toPem(webAuthority) }

  test('serves any web client, and takes up a new pair of files', async () => {
    write('localhost')
    await using bench = await startBench(web)
    const named = (servername: string): RequestOptions => ({ ...asWebClient, host: 'localhost', servername })
    assert.equal((await bench.get('/', named('localhost'))).status, 200)
    write('other.test')
    await bench.clock.advance(30_000)
    while (!bench.log.some(({ message }) => message === 'bundle endpoint certificate replaced')) await settle()
    await assert.rejects(bench.get('/', named('localhost')), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    assert.equal((await bench.get('/', named('other.test'))).status, 200)
  })

  test('keeps the pair it has when the files do not fit together, and complains once', async () => {
    const good = write('localhost')
    await using bench = await startBench(web)
    const complaints = (): number => bench.log.filter(({ level }) => level === 'error').length
    writeFileSync(files.bundleEndpointKey, encodePrivateKeyPem(generateKeyPair().privateKey))
    for (let look = 0; look < 3; look++) {
      await bench.clock.advance(30_000)
      while (complaints() === 0) await settle()
      await settle(20)
    }
    assert.equal(complaints(), 1)
    assert.equal((await bench.get('/', { ...asWebClient, host: 'localhost' })).status, 200)
    writeFileSync(files.bundleEndpointKey, encodePrivateKeyPem(good.privateKey))
  })

  const misfits: Record<string, Partial<BundleEndpointSettings>> = {
    'there is no certificate': { ...web, bundleEndpointCertificate: undefined },
    'there is no key': { ...web, bundleEndpointKey: undefined },
    'a file is missing': { ...web, bundleEndpointKey: join(folder, 'missing.pem') },
    'key and certificate are one file': { ...web, bundleEndpointKey: files.bundleEndpointCertificate },
    'there is a certificate for https_spiffe': { ...web, bundleEndpointProfile: 'https_spiffe' },
  }
  for (const [what, settings] of Object.entries(misfits)) {
    test(`does not start when ${what}`, async () => {
      write('localhost')
      await assert.rejects(startBench(settings), { code: 'ERR_BUNDLE_ENDPOINT' })
    })
  }
})
