import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import {
  createJwtSvid,
  encodeJwtBundle,
  encodeTrustBundle,
  encodeTrustBundlePem,
  generateKeyPair,
  toJwtAuthority,
  toSpiffeId,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { runCli } from '../main.ts'
import { createScratchFolder, createTestContext, type Finished, type ScratchFolder } from '../testing.ts'
import type { Verdict } from '../verdict.ts'

const authority = createTestAuthority('bank.test')
const { privateKey, publicKey } = generateKeyPair()
const trustBundle = { ...authority.bundle, jwtAuthorities: [toJwtAuthority('k1', publicKey)] }
const at = '2026-11-26T02:15:00Z'
const issuedAt = new Date(at)
let scratch: ScratchFolder
let bundle: string

before(async () => {
  scratch = await createScratchFolder()
  bundle = await fileWith('bundle.json', encodeTrustBundle(trustBundle))
})
after(() => scratch[Symbol.asyncDispose]())

async function fileWith(name: string, text: string): Promise<string> {
  const file = join(scratch.path, name)
  await writeFile(file, text)
  return file
}

const tokenFor = (audience = 'ledger', lifeMs = 300_000): string =>
  createJwtSvid(
    {
      id: toSpiffeId(authority.trustDomain, '/payments'),
      audience: [audience],
      issuedAt,
      expiresAt: new Date(issuedAt.getTime() + lifeMs),
    },
    { keyId: 'k1', privateKey },
  )

/** With `stdin`; no output ever holds a token. */
async function verifyWith(stdin: string, ...args: string[]): Promise<Finished> {
  const context = Object.assign(createTestContext(), { stdin: Readable.from([Buffer.from(stdin)]) })
  const code = await runCli(['jwt', 'verify', ...args], context)
  const { out, err } = context.printed
  const tokens = [stdin, ...args].filter((text) => text.includes('.') && text.length > 100)
  for (const part of tokens.flatMap((token) => token.trim().split('.'))) {
    if (part.length > 10) assert.ok(!`${out}${err}`.includes(part), 'a token was printed')
  }
  return { code, signal: null, out, err }
}

const verify = (...args: string[]): Promise<Finished> =>
  verifyWith('', ...args, '--bundle', bundle, '--audience', 'ledger', '--at', at)
const verdictsOf = (out: string): Verdict[] => (JSON.parse(out) as { items: Verdict[] }).items

test('a token is accepted as an argument, from a file and from standard input, and never shown', async () => {
  const file = await fileWith('token.jwt', `${tokenFor()}\n`)
  const flags = ['--bundle', bundle, '--audience', 'ledger', '--at', at]
  const { code, out, err } = await verifyWith(`${tokenFor()}\n`, tokenFor(), file, '-', ...flags)
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^SUBJECT +VERDICT +SPIFFE ID +EXPIRES +RULE +WHY\n/)
  const expected = / +accepted +spiffe:\/\/bank\.test\/payments +2026-11-26T02:20:00\.000Z +- +-$/
  const lines = out.trim().split('\n').slice(1)
  assert.deepEqual(
    lines.map((line) => line.replace(expected, '')),
    ['token 1', file, '-'],
  )
})

test('one bad token of several: its verdict alone is a refusal, with code and rule, and the command ends with 1', async () => {
  const { code, out } = await verify(tokenFor(), tokenFor('audit'), tokenFor('ledger', 1000), '-o', 'json')
  assert.equal(code, 1)
  const verdicts = verdictsOf(out)
  assert.deepEqual(
    verdicts.map(({ subject, verdict, code: why }) => [subject, verdict, why]),
    [
      ['token 1', 'accepted', null],
      ['token 2', 'refused', 'wrong-audience'],
      ['token 3', 'accepted', null],
    ],
  )
  assert.match(verdicts[1]!.rule!, /rule 36/)
  assert.equal(verdicts[1]!.spiffeId, null)
})

const good = tokenFor()
const BAD: readonly (readonly [string, string, string])[] = [
  ['a token with a changed character', `${good.slice(0, -3)}AAA`, 'bad-signature'],
  ['a token without its signature', good.slice(0, good.lastIndexOf('.')), 'not-compact'],
  ['a token with something before it', `Bearer ${good}`, 'bad-encoding'],
  ['a token that is too long', `${good}${'A'.repeat(20_000)}`, 'too-long'],
  ['a word', 'hello', 'ENOENT'],
  ['the name of a file that is not there', 'tokn.jwt', 'ENOENT'],
  ['the path of a file that is not there', '/no/such.v1.jwt', 'ENOENT'],
  ['a folder', '/tmp', 'EISDIR'],
]

for (const [what, token, why] of BAD) {
  test(`${what} is refused with ${why}`, async () => {
    const { code, out } = await verify(token, '-o', 'json')
    assert.deepEqual([code, verdictsOf(out)[0]?.code], [1, why])
  })
}

test('a file and a stream without end are too long, not too much', async () => {
  const file = await fileWith('huge.jwt', 'x'.repeat(100_000))
  const flags = ['--bundle', bundle, '--audience', 'ledger', '-o', 'json']
  const { code, out } = await verifyWith('.'.repeat(100_000), file, '-', ...flags)
  assert.equal(code, 1)
  assert.deepEqual(
    verdictsOf(out).map((verdict) => verdict.code),
    ['too-long', 'too-long'],
  )
})

test('the clock counts unless --at says otherwise', async () => {
  const flags = ['--bundle', bundle, '--audience', 'ledger', '-o', 'json']
  const late = await verifyWith('', tokenFor(), ...flags, '--at', '2026-11-26T02:21:00Z')
  assert.deepEqual([late.code, verdictsOf(late.out)[0]?.code], [1, 'expired'])
  const within = await verifyWith('', tokenFor(), ...flags, '--at', '2026-11-26T02:20:59.999Z')
  assert.equal(within.code, 0)
})

test('a bundle without JWT authorities accepts nothing, and says why', async () => {
  const pem = await fileWith('bundle.pem', encodeTrustBundlePem(authority.bundle))
  const { code, err } = await verifyWith('', tokenFor(), '--bundle', pem, '--audience', 'ledger', '--at', at)
  assert.equal(code, 1)
  assert.match(err, /holds no JWT authority/)
})

test('JWT keys alone need --trust-domain, since nothing in them has a name', async () => {
  const keys = await fileWith('keys.json', encodeJwtBundle(trustBundle))
  const flags = ['--bundle', keys, '--audience', 'ledger', '--at', at]
  const unnamed = await verifyWith('', tokenFor(), ...flags)
  assert.equal(unnamed.code, 2)
  assert.match(unnamed.err, /--trust-domain/)
  assert.equal((await verifyWith('', tokenFor(), ...flags, '--trust-domain', 'bank.test')).code, 0)
})

test('wrong usage ends with 2 and prints no verdict', async () => {
  for (const args of [
    [good, '--bundle', bundle],
    [good, '--audience', 'ledger'],
    [good, '--audience', '', '--bundle', bundle],
    [good, '--audience', 'ledger', '--bundle', '/no/such.json'],
    [good, '--audience', 'ledger', '--bundle', bundle, '--at', '2026-11-26'],
    ['-', '-', '--audience', 'ledger', '--bundle', bundle],
    ['--audience', 'ledger', '--bundle', bundle],
  ]) {
    const { code, out } = await verifyWith('', ...args)
    assert.deepEqual([code, out], [2, ''])
  }
})
