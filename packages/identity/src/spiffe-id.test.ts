import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdentityError } from './error.ts'
import { parseSpiffeId, toSpiffeId } from './spiffe-id.ts'
import { parseTrustDomain } from './trust-domain.ts'

const ACCEPTED = [
  ['a workload', 'spiffe://bank.test/payments', 'bank.test', '/payments'],
  ['a trust domain alone', 'spiffe://bank.test', 'bank.test', ''],
  ['deep paths', 'spiffe://bank.test/ns/prod/sa/ledger', 'bank.test', '/ns/prod/sa/ledger'],
  ['mixed case and every path character', 'spiffe://td/aZ09._-', 'td', '/aZ09._-'],
  ['three dots and hidden names as segments', 'spiffe://td/.../.x', 'td', '/.../.x'],
  ['a dotted IPv4 address as a name like any other', 'spiffe://10.0.0.1/a', '10.0.0.1', '/a'],
  ['names that are no DNS names', 'spiffe://_a..b-./a', '_a..b-.', '/a'],
  ['a dot as a name', 'spiffe://./a', '.', '/a'],
  ['2048 bytes', `spiffe://td/${'a'.repeat(2048 - 12)}`, 'td', `/${'a'.repeat(2048 - 12)}`],
  ['a trust domain of 255 bytes', `spiffe://${'a'.repeat(255)}/x`, 'a'.repeat(255), '/x'],
] as const

for (const [what, uri, name, path] of ACCEPTED) {
  test(`takes ${what}`, () => {
    const id = parseSpiffeId(uri)
    assert.deepEqual([id.uri, id.trustDomain.name, id.path], [uri, name, path])
    assert.equal(id.trustDomain.id, `spiffe://${name}`)
    assert.ok(Object.isFrozen(id) && Object.isFrozen(id.trustDomain))
  })
}

const REFUSED = [
  ['nothing at all', ''],
  ['another scheme (rule 1)', 'https://bank.test/payments'],
  ['no scheme (rule 1)', 'bank.test/payments'],
  ['a scheme without its slashes (rule 1)', 'spiffe:/bank.test/payments'],
  ['an empty trust domain (rule 1)', 'spiffe:///payments'],
  ['a scheme and nothing else (rule 1)', 'spiffe://'],
  ['a query (rule 2)', 'spiffe://bank.test/a?b=c'],
  ['a bare question mark (rule 2)', 'spiffe://bank.test/a?'],
  ['a fragment (rule 2)', 'spiffe://bank.test/a#b'],
  ['a bare hash (rule 2)', 'spiffe://bank.test/a#'],
  ['a user (rule 3)', 'spiffe://root@bank.test/a'],
  ['a bare at sign (rule 3)', 'spiffe://@bank.test/a'],
  ['a port (rule 3)', 'spiffe://bank.test:443/a'],
  ['a bare colon (rule 3)', 'spiffe://bank.test:/a'],
  ['upper case in the trust domain (rule 4)', 'spiffe://Bank.test/a'],
  ['percent-encoding in the trust domain (rule 4)', 'spiffe://bank%2etest/a'],
  ['other letters in the trust domain (rule 4)', 'spiffe://bänk.test/a'],
  ['an exclamation mark in the trust domain (rule 4)', 'spiffe://bank!/a'],
  ['an IPv6 address (rule 5)', 'spiffe://[::1]/a'],
  ['percent-encoding in the path (rule 6)', 'spiffe://bank.test/%61'],
  ['other letters in the path (rule 6)', 'spiffe://bank.test/ä'],
  ['a space in the path (rule 6)', 'spiffe://bank.test/a b'],
  ['a colon in the path (rule 6)', 'spiffe://bank.test/a:b'],
  ['a backslash in the path (rule 6)', 'spiffe://bank.test/a\\b'],
  ['a NUL (rule 6)', 'spiffe://bank.test/a\0'],
  ['a trailing line break (rule 6)', 'spiffe://bank.test/a\n'],
  ['a line break after the trust domain (rule 4)', 'spiffe://bank.test\n'],
  ['a leading space', ' spiffe://bank.test/a'],
  ['a trailing slash (rule 7)', 'spiffe://bank.test/a/'],
  ['a slash alone (rule 7)', 'spiffe://bank.test/'],
  ['an empty segment (rule 7)', 'spiffe://bank.test/a//b'],
  ['an empty first segment (rule 7)', 'spiffe://bank.test//a'],
  ['a dot segment (rule 7)', 'spiffe://bank.test/./a'],
  ['a dot segment at the end (rule 7)', 'spiffe://bank.test/a/.'],
  ['a double dot segment (rule 7)', 'spiffe://bank.test/a/../b'],
  ['a double dot segment at the end (rule 7)', 'spiffe://bank.test/..'],
  ['more than 2048 bytes (rule 8)', `spiffe://td/${'a'.repeat(2049 - 12)}`],
  ['a trust domain of 256 bytes (rule 8)', `spiffe://${'a'.repeat(256)}/x`],
  ['an upper-case scheme (rule 10)', 'SPIFFE://bank.test/a'],
] as const

for (const [what, uri] of REFUSED) {
  test(`refuses ${what}`, () =>
    assert.throws(
      () => parseSpiffeId(uri),
      (thrown) =>
        thrown instanceof IdentityError &&
        thrown.code === 'ERR_SPIFFE_ID' &&
        thrown.rule?.match(/\(rule \d+\)$/)?.[0] === (/\(rule \d+\)$/.exec(what)?.[0] ?? '(rule 1)'),
    ))
}

test('says which rule is broken', () => {
  assert.throws(() => parseSpiffeId('spiffe://bank.test/a/'), /ends with a slash/)
  assert.throws(() => parseSpiffeId('spiffe://bank.test:1/a'), /has a port/)
  assert.throws(() => parseSpiffeId('spiffe://BANK/a'), /trust domain holds characters/)
})

const segment = fc.stringMatching(/^[a-zA-Z0-9._-]{1,12}$/).filter((text) => text !== '.' && text !== '..')
const name = fc.stringMatching(/^[a-z0-9._-]{1,40}$/)

test('every ID put together by the rules is read back in its parts', () => {
  fc.assert(
    fc.property(name, fc.array(segment, { maxLength: 6 }), (domain, segments) => {
      const path = segments.map((text) => `/${text}`).join('')
      const id = toSpiffeId(parseTrustDomain(domain), path)
      assert.deepEqual([id.uri, id.trustDomain.name, id.path], [`spiffe://${domain}${path}`, domain, path])
    }),
  )
})

test('arbitrary text is an ID of legal characters or an IdentityError, nothing else', () => {
  const piece = fc.oneof(
    fc.constantFrom('spiffe://', '/', '.', '..', '%2f', '@', ':', '?', '#', 'a', 'A', '\n'),
    fc.string(),
  )
  const nearly = fc.array(piece, { maxLength: 8 }).map((pieces) => `spiffe://${pieces.join('')}`)
  fc.assert(
    fc.property(fc.oneof(fc.string(), nearly), (text) => {
      try {
        assert.match(parseSpiffeId(text).uri, /^spiffe:\/\/[a-z0-9._-]+(\/(?!\.{0,2}(\/|$))[a-zA-Z0-9._-]+)*$/)
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError, String(thrown))
      }
    }),
    { numRuns: 2000 },
  )
})

test('a path that does not start with a slash makes no ID', () => {
  assert.throws(() => toSpiffeId(parseTrustDomain('bank'), '.evil/a'), { code: 'ERR_SPIFFE_ID' })
})

const REFUSED_NAMES = [
  ['nothing at all', ''],
  ['a scheme', 'spiffe://bank.test'],
  ['a path', 'bank.test/a'],
  ['upper case', 'Bank.test'],
  ['a port', 'bank.test:1'],
  ['a trailing line break', 'bank.test\n'],
  ['256 bytes', 'a'.repeat(256)],
] as const

for (const [what, text] of REFUSED_NAMES) {
  test(`refuses ${what} as a trust domain name`, () =>
    assert.throws(() => parseTrustDomain(text), { code: 'ERR_TRUST_DOMAIN' }))
}
