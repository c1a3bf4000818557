import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  createBundleSource,
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  generateKeyPair,
  lintX509Svid,
  parseCsr,
  parseSpiffeId,
  verifyX509Svid,
  type Certificate,
} from '@picket/identity'
import { createTestAuthority, type TestAuthority, type TestAuthorityOptions } from '@picket/identity/testing'
import { systemClock, systemRandom, type Clock } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { Authority } from './authority.ts'
import { initAuthority, openAuthority } from './open-authority.ts'
import { inTestFolder, testSealKey as sealKey } from './testing.ts'
import type { UpstreamFiles } from './upstream.ts'

const HOUR_MS = 3_600_000
const id = parseSpiffeId('spiffe://bank.test/payments')
const csr = parseCsr(createCsr(generateKeyPair(), id))

interface Given {
  readonly folder: string
  readonly files: UpstreamFiles
  readonly clock: FakeClock
}

const withFolder = (body: (given: Given) => Promise<void>): Promise<void> =>
  inTestFolder((folder) => body({ folder, files: filesIn(folder), clock: new FakeClock() }))

const filesIn = (folder: string): UpstreamFiles => ({
  certificateFile: join(folder, 'upstream.pem'),
  keyFile: join(folder, 'upstream.key'),
  bundleFile: join(folder, 'roots.pem'),
})

/** The issuer of our authorities with what lies above it, as an operator would lay it out. */
async function writeUpstream(
  { certificateFile, keyFile, bundleFile }: UpstreamFiles,
  { certificate, keyPair, bundle }: TestAuthority,
  above: readonly Certificate[] = [],
): Promise<void> {
  await writeFile(certificateFile, encodeCertificatesPem([certificate, ...above]))
  await writeFile(keyFile, encodePrivateKeyPem(keyPair.privateKey))
  await writeFile(bundleFile, encodeCertificatesPem(bundle.x509Authorities))
}

const init = ({ folder, files }: Pick<Given, 'folder' | 'files'>, clock: Clock, ttlMs?: number): Promise<Authority> => {
  const options = { trustDomain: id.trustDomain, sealKey, upstream: files, ...(ttlMs !== undefined && { ttlMs }) }
  return initAuthority(join(folder, 'ca'), options, { clock, random: systemRandom })
}
const issue = (authority: Authority): Promise<readonly Certificate[]> =>
  authority.issue({ csr, id, ttlMs: HOUR_MS, caller: 'test' })
const verdictOf = (chain: readonly Certificate[], { bundle }: Authority, clock: Clock) =>
  verifyX509Svid(chain, createBundleSource([bundle.value]), new Date(clock.now()), { strict: true })

suite('below an authority outside', () => {
  test('the bundle holds the root, the chain our intermediate, which may issue leaves of our trust domain alone', () =>
    withFolder(async (given) => {
      const root = createTestAuthority('bank.test', { clock: given.clock })
      await writeUpstream(given.files, root)
      await using authority = await init(given, given.clock)
      const chain = await issue(authority)
      assert.equal(chain.length, 2)
      const [leaf, intermediate] = chain
      assert.deepEqual(lintX509Svid(leaf!), [])
      assert.deepEqual(
        authority.bundle.value.x509Authorities,
        [root.certificate].map((one) => one),
      )
      assert.equal(verdictOf(chain, authority, given.clock).kind, 'verified')
      assert.deepEqual([intermediate!.isCa, intermediate!.pathLen], [true, 0])
      assert.deepEqual(intermediate!.nameConstraints?.permitted, [{ kind: 'uri', text: 'bank.test' }])
      assert.ok(intermediate!.isSignedWith(root.certificate.publicKey))
      assert.ok(authority.authorities.value.find(({ kind }) => kind === 'x509')!.upstream)
    }))

  test('what lies between issuer and root goes along in the chain', () =>
    withFolder(async (given) => {
      const root = createTestAuthority('bank.test', { clock: given.clock })
      const middle = root.issueAuthority()
      const issuer = middle.issueAuthority({ pathLen: 1 })
      await writeUpstream(given.files, issuer, [middle.certificate])
      await using authority = await init(given, given.clock)
      const chain = await issue(authority)
      assert.equal(chain.length, 4)
      assert.equal(verdictOf(chain, authority, given.clock).kind, 'verified')
    }))

  test('nothing outlives what issued it: SVID, our authority, the one above', () =>
    withFolder(async (given) => {
      const ends = new Date(given.clock.now() + 3 * HOUR_MS)
      await writeUpstream(given.files, createTestAuthority('bank.test', { clock: given.clock, notAfter: ends }))
      await using authority = await init(given, given.clock, 24 * HOUR_MS)
      const own = authority.authorities.value.find(({ kind }) => kind === 'x509')!
      assert.deepEqual(own.notAfter, ends)
      await given.clock.advance(2.5 * HOUR_MS)
      assert.deepEqual((await issue(authority))[0]!.notAfter, ends)
      await given.clock.advance(HOUR_MS)
      await assert.rejects(issue(authority), { code: 'ERR_AUTHORITY_EXPIRED' })
    }))

  test('the files are read again for each authority, so that the root can be renewed', () =>
    withFolder(async (given) => {
      const [first, second] = [1, 2].map(() => createTestAuthority('bank.test', { clock: given.clock }))
      await writeUpstream(given.files, first!)
      await using authority = await init(given, given.clock)
      const before = await issue(authority)
      await writeUpstream(given.files, second!)
      await authority.prepare('x509')
      assert.deepEqual(
        authority.bundle.value.x509Authorities.map((one) => one.fingerprintSha256),
        [first!, second!].map(({ certificate }) => certificate.fingerprintSha256),
      )
      await authority.activate('x509')
      for (const chain of [before, await issue(authority)]) {
        assert.equal(verdictOf(chain, authority, given.clock).kind, 'verified')
      }
    }))

  test('all of it is there again after a restart, and a root that two authorities are under is in the bundle once', () =>
    withFolder(async (given) => {
      await writeUpstream(given.files, createTestAuthority('bank.test', { clock: given.clock }))
      const authority = await init(given, given.clock)
      await authority.prepare('x509')
      await authority[Symbol.asyncDispose]()
      const deps = { clock: given.clock, random: systemRandom }
      await using again = await openAuthority(join(given.folder, 'ca'), { sealKey, upstream: given.files }, deps)
      assert.deepEqual(again.authorities.value, authority.authorities.value)
      assert.equal(again.bundle.value.x509Authorities.length, 1)
      assert.equal(verdictOf(await issue(again), again, given.clock).kind, 'verified')
    }))
})

type Spoil = (given: Given) => Promise<void>
const withIssuer =
  (options: TestAuthorityOptions): Spoil =>
  ({ files, clock }) =>
    writeUpstream(files, createTestAuthority('bank.test', { clock, ...options }))

const REFUSED: readonly (readonly [string, RegExp, Spoil])[] = [
  ['there are no files', /upstream\.pem: ENOENT/, () => Promise.resolve()],
  ['the certificate is none', /upstream\.pem: /, async ({ files }) => writeFile(files.certificateFile, 'x')],
  ['a file is too long', /too long/, async ({ files }) => writeFile(files.certificateFile, 'x'.repeat(2 ** 21))],
  [
    'the key is that of another',
    /is not that of/,
    async (given) => {
      await withIssuer({})(given)
      await writeFile(given.files.keyFile, encodePrivateKeyPem(generateKeyPair().privateKey))
    },
  ],
  [
    'the key is encrypted',
    /passphrase/,
    async (given) => {
      await withIssuer({})(given)
      await writeFile(given.files.keyFile, '-----BEGIN ENCRYPTED PRIVATE KEY-----\n')
    },
  ],
  [
    'it leads to another root',
    /does not lead to a root/,
    async (given) => {
      await withIssuer({})(given)
      const other = createTestAuthority('bank.test', { clock: given.clock })
      await writeFile(given.files.bundleFile, encodeCertificatesPem([other.certificate]))
    },
  ],
  ['it is no authority', /does not begin with an authority/, withIssuer({ isCa: false })],
  ['it may not sign certificates', /no peer would accept/, withIssuer({ keyUsage: ['cRLSign'] })],
  ['it may not have another below it', /no peer would accept/, withIssuer({ pathLen: 0 })],
  ['it is for another trust domain', /no peer would accept/, withIssuer({ permitted: ['partner.test'] })],
  [
    'it begins tomorrow',
    /no peer would accept/,
    withIssuer({ notBefore: new Date('2026-01-02'), notAfter: new Date('2026-01-09') }),
  ],
  ['it has ended', /ends at once/, withIssuer({ notBefore: new Date('2025-01-01'), notAfter: new Date('2025-12-31') })],
]

suite('an upstream is refused, and what works goes on, when', () => {
  for (const [what, message, spoil] of REFUSED) {
    test(what, () =>
      withFolder(async (given) => {
        await spoil(given)
        await assert.rejects(init(given, given.clock), { code: 'ERR_UPSTREAM', message, retryable: true })
        const good = { ...given, files: filesIn(given.folder) }
        await writeUpstream(good.files, createTestAuthority('bank.test', { clock: given.clock }))
        await using authority = await init(good, given.clock)
        await writeFile(given.files.certificateFile, '')
        await spoil(given)
        if (what === 'there are no files') return
        await assert.rejects(authority.prepare('x509'), { code: 'ERR_UPSTREAM', message })
        assert.equal(verdictOf(await issue(authority), authority, given.clock).kind, 'verified')
      }),
    )
  }
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

function openssl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  assert.equal(status, 0, `openssl ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

const KEY_USAGE = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
const P384 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']

for (const [what, strictly, key] of [
  ['P-384', ['-x509_strict'], [...P384, ...KEY_USAGE]],
  ['RSA-3072', ['-x509_strict'], ['-newkey', 'rsa:3072', ...KEY_USAGE]],
  ['P-384 and no key usage, as it does unless told', [], P384],
] as const) {
  const skip = hasOpenssl ? false : 'openssl is missing: apt-get install openssl'
  test(`a root that openssl made with ${what} issues our authority, and openssl verifies`, { skip }, () =>
    inTestFolder(async (folder) => {
      const files = { ...filesIn(folder), bundleFile: join(folder, 'upstream.pem') }
      const subject = ['-subj', '/O=Bank of Test/CN=Root', '-days', '7']
      openssl('req', '-x509', ...key, '-nodes', '-keyout', files.keyFile, '-out', files.certificateFile, ...subject)
      await using authority = await init({ folder, files }, systemClock)
      const [leaf, intermediate] = await issue(authority)
      const [svid, middle] = [join(folder, 'svid.pem'), join(folder, 'middle.pem')]
      await writeFile(svid, encodeCertificatesPem([leaf!]))
      await writeFile(middle, encodeCertificatesPem([intermediate!]))
      const bundle = join(folder, 'ca', 'trust-bundle.pem')
      for (const purpose of ['sslserver', 'sslclient']) {
        const verify = ['verify', ...strictly, '-purpose', purpose, '-CAfile', bundle]
        assert.match(openssl(...verify, '-untrusted', middle, svid), /: OK/)
      }
      assert.match(
        openssl('x509', '-noout', '-text', '-in', middle),
        /Name Constraints: critical\s+Permitted:\s+URI:bank\.test/,
      )
      const bundles = createBundleSource([authority.bundle.value])
      assert.equal(verifyX509Svid([leaf!, intermediate!], bundles, new Date()).kind, 'verified')
    }),
  )
}
