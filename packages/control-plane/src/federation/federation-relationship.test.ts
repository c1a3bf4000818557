import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import fc from 'fast-check'
import { parseEndpointUrl, parseRelationship } from './federation-relationship.ts'

const own = parseTrustDomain('bank.test')
const web = {
  trustDomain: 'partner.test',
  url: 'https://partner.test/bundle',
  profile: 'https_web',
  endpointSpiffeId: '',
}
const endpointSpiffeId = 'spiffe://partner.test/picket/control-plane'
const spiffe = { ...web, profile: 'https_spiffe', endpointSpiffeId }

suite('a federation relationship', () => {
  test('is what the operator says of each part', () => {
    const { trustDomain, url, profile } = parseRelationship(spiffe, own)
    assert.deepEqual([trustDomain.name, url.href], ['partner.test', 'https://partner.test/bundle'])
    assert.ok(profile.kind === 'https_spiffe' && profile.endpointId.uri === endpointSpiffeId)
    assert.deepEqual(parseRelationship(web, own).profile, { kind: 'https_web' })
  })

  test('may have an endpoint of another trust domain, our own included', () => {
    for (const name of ['other.test', 'bank.test']) {
      parseRelationship({ ...spiffe, endpointSpiffeId: `spiffe://${name}/bundles` }, own)
    }
  })

  const refused: Record<string, Partial<typeof web>> = {
    'names our own trust domain': { trustDomain: 'bank.test' },
    'has no trust domain': { trustDomain: '' },
    'names a trust domain that is none': { trustDomain: 'Partner.test' },
    'has no URL': { url: '' },
    'has no profile': { profile: '' },
    'has a profile that is none': { profile: 'https' },
    'has a SPIFFE ID for https_web': { endpointSpiffeId },
    'has none for https_spiffe': { profile: 'https_spiffe' },
    'has one that is none': { profile: 'https_spiffe', endpointSpiffeId: 'spiffe://Partner.test/x' },
  }
  for (const [what, change] of Object.entries(refused)) {
    test(`is refused when it ${what}`, () => {
      assert.throws(() => parseRelationship({ ...web, ...change }, own), { code: 'ERR_RELATIONSHIP_INVALID' })
    })
  }
})

suite('the URL of a bundle endpoint', () => {
  for (const url of [
    'https://partner.test',
    'https://partner.test:8443/a/b?c=d#e',
    'https://[::1]:7403/',
    'https://10.0.0.1/',
    'https://partner.test/a@b?c=@d',
  ]) {
    test(`may be ${url}`, () => assert.equal(parseEndpointUrl(url).protocol, 'https:'))
  }

  const refused = [
    '',
    'partner.test',
    'http://partner.test/',
    'HTTPS://partner.test/',
    'file:///etc/passwd',
    'https:partner.test',
    'https:/partner.test',
    'https:///partner.test',
    String.raw`https:\\partner.test`,
    String.raw`https://partner.test\@evil.test/`,
    'https://user@partner.test/',
    'https://user:password@partner.test/',
    'https://@partner.test/',
    'https://:@partner.test/',
    'https://partner.test:0/',
    'https://partner.test:65536/',
    'https://partner.test:port/',
    'https://[::1/',
    'https://exa mple.test/',
    'https://partner.test/\n',
    ' https://partner.test/',
    'https://partner\t.test/',
    'https://pärtner.test/',
    'https://partner.test/\0',
    `https://partner.test/${'a'.repeat(2048)}`,
  ]
  for (const url of refused) {
    test(`is refused: ${JSON.stringify(url).slice(0, 60)}`, () => assert.throws(() => parseEndpointUrl(url), TypeError))
  }

  test('is refused with a TypeError, or leads over https to the host that it shows and to no user', () => {
    const part = fc.oneof(fc.string(), fc.constantFrom('https://', '@', ':', '/', '\\', '?', '#', 'a.test', '443'))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = `https://${parts.join('')}`
        let url: URL
        try {
          url = parseEndpointUrl(text)
        } catch (thrown) {
          return assert.ok(thrown instanceof TypeError)
        }
        assert.deepEqual([url.protocol, url.username, url.password], ['https:', '', ''])
        const [authority = ''] = text.slice('https://'.length).split(/[/?#]/, 1)
        assert.ok(!authority.includes('@') && !authority.includes('\\'))
      }),
      { numRuns: 1000 },
    )
  })
})
