/**
 * Federation with programs that are not ours: go-spiffe's client and curl fetch from the bundle endpoint of a real
 * control plane, and a real control plane fetches from go-spiffe's bundle endpoint, through a rotation of its authority.
 * Skipped, with the command that brings it, where a program is missing.
 */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { runCommand } from '../support/command.ts'
import { startFederatedDomain, type FederatedDomain } from '../support/federated-domain.ts'
import { programPath, skipUnless } from '../support/programs.ts'

const source = fileURLToPath(new URL('./federation', import.meta.url))
const ENDPOINT_ID = 'spiffe://bank.test/picket/control-plane'
const NO_GO = skipUnless('go')
let folder: string
let foreign: string
let bank: FederatedDomain

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'picket-federation-'))
  foreign = join(folder, 'foreign')
  if (!NO_GO) {
    const built = await runCommand(programPath('go'), ['build', '-C', source, '-o', foreign, '.'])
    assert.equal(built.code, 0, built.stderr)
  }
})
after(() => rm(folder, { recursive: true, force: true }))

async function ask<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await runCommand(foreign, args)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as T
}

interface Fetched {
  readonly sequence: string
  readonly hintSeconds: number
  readonly x509: number
  readonly jwt: readonly string[]
}

async function writeWebCertificate(): Promise<{ ca: string; flags: string[] }> {
  const web = createTestAuthority('web.test')
  const { chain, privateKey } = web.issueSvid('/web', { uris: [], dnsNames: ['localhost'] })
  const [ca, certificate, key] = ['web-ca.pem', 'web.pem', 'web.key'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(ca, encodeTrustBundlePem(web.bundle))
  await writeFile(certificate, encodeCertificatesPem(chain))
  await writeFile(key, encodePrivateKeyPem(privateKey), { mode: 0o600 })
  const files = ['--bundle-endpoint-certificate', certificate, '--bundle-endpoint-key', key]
  return { ca, flags: ['--bundle-endpoint-profile', 'https_web', ...files] }
}

suite('our bundle endpoint by https_spiffe', () => {
  before(async () => void (bank = await startFederatedDomain(folder, 'bank.test', '--bundle-endpoint', '127.0.0.1:0')))
  after(() => bank?.[Symbol.asyncDispose]())

  test('is fetched from by go-spiffe, which proves it by its SVID and reads every key', { skip: NO_GO }, async () => {
    const fetching = ['fetch', 'https_spiffe', bank.endpoint, 'bank.test', bank.bundleFile]
    const { sequence, hintSeconds, x509, jwt } = await ask<Fetched>(...fetching, ENDPOINT_ID)
    const held = JSON.parse(await readFile(bank.bundleFile, 'utf8')) as { keys: { kid?: string }[] }
    assert.ok(BigInt(sequence) > 0n && hintSeconds > 0)
    assert.equal(x509, 1)
    assert.deepEqual(
      jwt,
      held.keys.flatMap(({ kid }) => kid ?? []),
    )
    const other = await runCommand(foreign, [...fetching, 'spiffe://bank.test/other'])
    assert.notEqual(other.code, 0)
  })

  test('asks nobody for a certificate', { skip: NO_GO }, async () => {
    assert.deepEqual(await ask('probe', bank.endpoint), { asked: false })
  })
})

suite('our bundle endpoint by https_web', () => {
  let ca: string
  before(async () => {
    const certificate = await writeWebCertificate()
    ca = certificate.ca
    const issuer = ['--jwt-issuer', 'https://id.bank.test']
    bank = await startFederatedDomain(
      folder,
      'web-bank.test',
      '--bundle-endpoint',
      '127.0.0.1:0',
      ...certificate.flags,
      ...issuer,
    )
  })
  after(() => bank?.[Symbol.asyncDispose]())
  const byName = (path = ''): string => `${bank.endpoint.replace('127.0.0.1', 'localhost')}${path}`

  test('is fetched from by go-spiffe', { skip: NO_GO }, async () => {
    const { x509, jwt } = await ask<Fetched>('fetch', 'https_web', byName(), 'web-bank.test', ca)
    assert.deepEqual([x509, jwt.length], [1, 1])
  })

  test('is fetched from by curl, once for each change', { skip: skipUnless('curl') }, async () => {
    const curl = (...args: string[]): ReturnType<typeof runCommand> =>
      runCommand(programPath('curl'), ['--silent', '--show-error', '--fail', '--cacert', ca, ...args])
    const whole = await curl('--include', byName())
    assert.equal(whole.code, 0, whole.stderr)
    assert.match(whole.stdout, /^content-type: application\/json\r$/im)
    const [, etag = ''] = /^etag: (.+)\r$/im.exec(whole.stdout) ?? []
    const again = await curl('--header', `if-none-match: ${etag}`, '--write-out', '%{http_code}', byName())
    assert.equal(again.stdout, '304')
    const head = await curl('--head', '--tls-max', '1.2', byName())
    assert.match(head.stdout, /^HTTP\/1\.1 200 OK\r\n/)
    const untrusted = await runCommand(programPath('curl'), ['--silent', byName()])
    assert.equal(untrusted.code, 60)
  })

  test('tells a relying party where the keys of JWT-SVIDs are', { skip: skipUnless('curl') }, async () => {
    const get = async (path: string): Promise<Record<string, unknown>> => {
      const { stdout, stderr } = await runCommand(programPath('curl'), ['--silent', '--cacert', ca, byName(path)])
      assert.equal(stderr, '')
      return JSON.parse(stdout) as Record<string, unknown>
    }
    const { issuer, jwks_uri: keysAt } = await get('.well-known/openid-configuration')
    assert.deepEqual([issuer, keysAt], ['https://id.bank.test', 'https://id.bank.test/keys'])
    const { keys } = (await get('keys')) as { keys: Record<string, unknown>[] }
    assert.deepEqual([keys.length, keys[0]?.['use'], keys[0]?.['alg']], [1, 'sig', 'ES256'])
  })
})

interface ForeignEndpoint {
  readonly url: string
  readonly endpointId: string
  readonly bundle: string
  readonly webCa: string
}

/** The bundle endpoint of go-spiffe, and the steps of a rotation behind it. */
async function serveForeign(profile: string): Promise<{
  readonly child: ChildProcess
  readonly at: ForeignEndpoint
  readonly step: (name: 'publish' | 'activate' | 'revoke') => Promise<void>
}> {
  const child = spawn(foreign, ['serve', profile, 'partner.test'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => JSON.parse(((await lines.next()) as { value: string }).value)
  const at = (await next()) as ForeignEndpoint
  return {
    child,
    at,
    async step(name) {
      child.stdin.write(`${name}\n`)
      assert.deepEqual(await next(), { done: name })
    },
  }
}

for (const profile of ['https_spiffe', 'https_web'] as const) {
  test(`our client follows go-spiffe’s endpoint through a rotation by ${profile}`, { skip: NO_GO }, async () => {
    const { child, at, step } = await serveForeign(profile)
    await using stack = new AsyncDisposableStack()
    stack.defer(async () => void (child.kill(), await once(child, 'close')))
    const [webCa, first] = [join(folder, `${profile}-ca.pem`), join(folder, `${profile}-bundle.json`)]
    await writeFile(webCa, at.webCa)
    await writeFile(first, at.bundle)
    const ours = stack.use(
      await startFederatedDomain(folder, `${profile.replace('_', '-')}.test`, '--federation-web-ca', webCa),
    )
    const proof = profile === 'https_spiffe' ? ['--endpoint-id', at.endpointId, '--bundle', first] : []
    const refresh = async (...command: string[]): Promise<unknown[]> => {
      const [item] = await ours.itemsOf('federation', ...command)
      const { bundle, failure } = item as { bundle: Record<string, unknown>; failure: unknown }
      assert.equal(failure, null)
      return [bundle['sequence'], bundle['refreshHintSeconds'], bundle['x509Authorities'], bundle['jwtAuthorities']]
    }
    const set = ['set', 'partner.test', '--url', at.url, '--profile', profile, ...proof]
    assert.deepEqual(await refresh(...set), ['1', 60, 1, 1])
    await step('publish')
    assert.deepEqual(await refresh('refresh', 'partner.test'), ['2', 60, 2, 2])
    await step('activate')
    await step('revoke')
    assert.deepEqual(await refresh('refresh', 'partner.test'), ['3', 60, 1, 1], 'proved by the newest bundle')
    assert.deepEqual(await refresh('refresh', 'partner.test'), ['3', 60, 1, 1])
  })
}
