import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { encodeCertificatesPem, encodeTrustBundle, encodeTrustBundlePem, OID } from '@picket/identity'
import { createTestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import { createScratchFolder, picketHere, type ScratchFolder } from '../testing.ts'
import type { Verdict } from '../verdict.ts'

const authority = createTestAuthority('bank.test')
let scratch: ScratchFolder
let bundle: string

before(async () => {
  scratch = await createScratchFolder()
  bundle = await fileWith('bundle.pem', encodeTrustBundlePem(authority.bundle))
})
after(() => scratch[Symbol.asyncDispose]())

async function fileWith(name: string, text: string): Promise<string> {
  const file = join(scratch.path, name)
  await writeFile(file, text)
  return file
}

const svidFile = (name: string, options?: TestSvidOptions): Promise<string> =>
  fileWith(name, encodeCertificatesPem(authority.issueSvid('/payments', options).chain))

const verdictsOf = (out: string): Verdict[] => (JSON.parse(out) as { items: Verdict[] }).items

test('good chains are accepted, with ID and expiry, and the command ends with 0', async () => {
  const below = authority.issueAuthority().issueSvid('/ledger')
  const files = [await svidFile('a.pem'), await fileWith('b.pem', encodeCertificatesPem(below.chain))]
  for (const text of [bundle, await fileWith('bundle.json', encodeTrustBundle(authority.bundle))]) {
    const { code, out, err } = await picketHere('svid', 'verify', ...files, '--bundle', text)
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, /^SUBJECT +VERDICT +SPIFFE ID +EXPIRES +RULE +WHY\n/)
    assert.match(out, /a\.pem +accepted +spiffe:\/\/bank\.test\/payments +20\d\d-.*Z +- +-\n/)
    assert.match(out, /b\.pem +accepted +spiffe:\/\/bank\.test\/ledger +/)
  }
})

test('one bad chain of several: its verdict alone is a refusal, with code and rule, and the command ends with 1', async () => {
  const good = await svidFile('good.pem')
  const bad = await svidFile('bad.pem', { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/b'] })
  const { code, out } = await picketHere('svid', 'verify', bad, good, '--bundle', bundle, '-o', 'json')
  assert.equal(code, 1)
  assert.equal((JSON.parse(out) as { kind: string }).kind, 'SvidVerdictList')
  const [first, second] = verdictsOf(out)
  assert.deepEqual([first?.verdict, first?.code, first?.spiffeId], ['refused', 'bad-san', null])
  assert.match(first?.rule ?? '', /rule 14/)
  assert.deepEqual([second?.verdict, second?.code, second?.rule], ['accepted', null, null])
})

test('--at moves the clock, both ways', async () => {
  const file = await svidFile('at.pem')
  for (const [at, reason] of [
    ['2000-01-01T00:00:00Z', 'not-yet-valid'],
    ['2100-01-01T00:00:00+01:00', 'expired'],
  ] as const) {
    const { code, out } = await picketHere('svid', 'verify', file, '--bundle', bundle, '--at', at, '-o', 'json')
    assert.deepEqual([code, verdictsOf(out)[0]?.code], [1, reason])
  }
})

test('--strict refuses what an authority must not issue', async () => {
  const file = await svidFile('lax.pem', { without: [OID.extendedKeyUsage] })
  assert.equal((await picketHere('svid', 'verify', file, '--bundle', bundle)).code, 0)
  const { code, out } = await picketHere('svid', 'verify', file, '--bundle', bundle, '--strict', '-o', 'json')
  assert.deepEqual(
    [code, verdictsOf(out)[0]?.code, verdictsOf(out)[0]?.rule],
    [1, 'issuer-rules', 'X509-SVID 4.4 (rule 22)'],
  )
})

test('--trust-domain says whose the bundle is: under another name it vouches for nobody', async () => {
  const file = await svidFile('td.pem')
  const verify = (name: string): ReturnType<typeof picketHere> =>
    picketHere('svid', 'verify', file, '--bundle', bundle, '--trust-domain', name, '-o', 'json')
  assert.equal((await verify('bank.test')).code, 0)
  const { code, out } = await verify('partner.test')
  assert.deepEqual([code, verdictsOf(out)[0]?.code], [1, 'no-bundle'])
})

test('a file that holds no chain, and one that is not there, are refusals beside the others’ verdicts', async () => {
  const files = [await svidFile('ok.pem'), await fileWith('text.pem', 'hello'), join(scratch.path, 'none.pem')]
  const { code, out } = await picketHere('svid', 'verify', ...files, '--bundle', bundle, '-o', 'json')
  assert.equal(code, 1)
  assert.deepEqual(
    verdictsOf(out).map(({ verdict, code: why }) => [verdict, why]),
    [
      ['accepted', null],
      ['refused', 'ERR_PEM'],
      ['refused', 'ENOENT'],
    ],
  )
})

test('wrong usage ends with 2 and prints no verdict', async () => {
  const file = await svidFile('usage.pem')
  for (const [args, complaint] of [
    [[file], /--bundle/],
    [['--bundle', bundle], /CHAIN/],
    [[file, '--bundle', '/no/such.pem'], /ENOENT/],
    [[file, '--bundle', bundle, '--at', 'yesterday'], /2026-11-26T02:15:00Z/],
    [[file, '--bundle', bundle, '--at', '2026-02-30T00:00:00Z'], /instant/],
    [[file, '--bundle', bundle, '--trust-domain', 'spiffe://bank.test'], /trust domain/],
  ] as const) {
    const { code, out, err } = await picketHere('svid', 'verify', ...args)
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, complaint)
  }
})
