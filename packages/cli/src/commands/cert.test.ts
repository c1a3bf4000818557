import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { encodeCertificatesPem, encodeTrustBundle, encodeTrustBundlePem, OID } from '@picket/identity'
import { createTestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import { Secret } from '@picket/runtime'
import { createScratchFolder, picketHere, type Finished, type ScratchFolder } from '../testing.ts'

const authority = createTestAuthority('bank.test')
let scratch: ScratchFolder

before(async () => void (scratch = await createScratchFolder()))
after(() => scratch[Symbol.asyncDispose]())

async function fileWith(name: string, text: string): Promise<string> {
  const file = join(scratch.path, name)
  await writeFile(file, text)
  return file
}

async function inspect(options: TestSvidOptions = {}, ...args: string[]): Promise<Finished> {
  const svid = authority.issueSvid('/payments', options)
  return picketHere('cert', 'inspect', await fileWith('svid.pem', encodeCertificatesPem(svid.chain)), ...args)
}

test('a good SVID is shown with who, until when and which key', async () => {
  const bundle = await fileWith('bundle.pem', encodeTrustBundlePem(authority.bundle))
  const { code, out, err } = await inspect({ dnsNames: ['payments.mesh'] }, '--trust-bundle', bundle)
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^SPIFFE ID: +spiffe:\/\/bank\.test\/payments\nKind: +leaf\n/)
  assert.match(
    out,
    /Valid until: +\d{4}-.*Z \(in 59m .*\)\nKey: +ec-p256, id [0-9a-f]{40}\n[^]*DNS names: +payments\.mesh\n/,
  )
})

test('JSON has stable names for every certificate of the chain', async () => {
  const below = authority.issueAuthority().issueSvid('/payments')
  const file = await fileWith('chain.pem', encodeCertificatesPem(below.chain))
  const { out } = await picketHere('cert', 'inspect', file, '-o', 'json')
  const { kind, items } = JSON.parse(out) as { kind: string; items: Record<string, unknown>[] }
  assert.equal(kind, 'CertificateList')
  assert.deepEqual(
    items.map((item) => [item['isCa'], item['serialNumber']]),
    [
      [false, below.chain[0]!.serialNumber],
      [true, below.chain[1]!.serialNumber],
    ],
  )
  assert.equal(items[0]!['notAfter'], below.chain[0]!.notAfter.toISOString())
})

test('a file without end is not read to it', async () => {
  const { code, err } = await picketHere('cert', 'inspect', '/dev/zero')
  assert.equal(code, 1)
  assert.match(err, /\/dev\/zero is longer than 1048576 bytes/)
})

const now = Date.now()
const FINDINGS: readonly (readonly [string, TestSvidOptions, RegExp])[] = [
  ['one that has expired', { notAfter: new Date(now - 1000) }, /warning: it expired at /],
  ['one with two names', { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/b'] }, /warning: .*/],
  ['one that is nobody’s', { uris: [] }, /warning: .*/],
  ['one that may sign others', { isCa: false, keyUsage: ['digitalSignature', 'keyCertSign'] }, /warning: .*/],
]

for (const [what, options, finding] of FINDINGS) {
  test(`${what} is shown all the same, with a finding`, async () => {
    const { code, out, err } = await inspect(options)
    assert.equal(code, 1)
    assert.match(out, /^SPIFFE ID: /)
    assert.match(err, finding)
  })
}

const ALGORITHMS = ['ec-p256', 'ec-p384', 'ed25519', 'rsa-2048', 'ml-dsa-44', 'ml-dsa-65'] as const

for (const algorithm of ALGORITHMS) {
  test(`the key of an ${algorithm} SVID is named`, async () => {
    const { code, out } = await inspect({ algorithm })
    assert.equal(code, 0)
    assert.match(out, new RegExp(`\\nKey: +${algorithm}, id [0-9a-f]{40}\\nIssuer key: +ecdsa-sha256, id `))
  })
}

test('an RSA key of another size is named with its bits', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2304 })
  const { out } = await inspect({ keyPair: { algorithm: 'rsa-2048', privateKey: new Secret(privateKey), publicKey } })
  assert.match(out, /\nKey: +rsa of 2304 bits, id /)
})

test('what only a strict verifier refuses is told as that, with the rule', async () => {
  const bundle = await fileWith('bundle.json', encodeTrustBundle(authority.bundle))
  const { code, err } = await inspect({ without: [OID.extendedKeyUsage] }, '--trust-bundle', bundle)
  assert.equal(code, 1)
  assert.match(err, /a strict verifier refuses it: .*\(issuer-rules; X509-SVID 4\.4 \(rule 22\)\)/)
})

test('an authority that does not vouch is a finding', async () => {
  const other = await fileWith('other.pem', encodeTrustBundlePem(createTestAuthority('bank.test').bundle))
  const { code, err } = await inspect({}, '--trust-bundle', other)
  assert.equal(code, 1)
  assert.match(err, /does not vouch for it: .*\(unknown-authority; .*rules 13, 26, 48\)/)
})

test('a file without a certificate is an error', async () => {
  for (const text of ['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    const { code, out, err } = await picketHere('cert', 'inspect', await fileWith('bad.pem', text))
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /^picket: .+/)
  }
  assert.match(
    (await picketHere('cert', 'inspect', '/no/such.pem')).err,
    /^picket: \/no\/such\.pem: there is no such file/,
  )
})

test('rotate wants a SPIFFE ID or --all, not both', async () => {
  assert.equal((await picketHere('cert', 'rotate', '/payments', '--all')).code, 2)
})
