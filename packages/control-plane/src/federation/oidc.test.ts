import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createJwtSvid,
  generateKeyPair,
  parseSpiffeId,
  toJwtAuthority,
  type KeyAlgorithm,
  type TrustBundle,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import fc from 'fast-check'
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { createOidcDocuments, parseJwtIssuer } from './oidc.ts'

const id = parseSpiffeId('spiffe://bank.test/payments')

function bundleWith(...algorithms: KeyAlgorithm[]): {
  bundle: TrustBundle
  keyPairs: ReturnType<typeof generateKeyPair>[]
} {
  const keyPairs = algorithms.map((algorithm) => generateKeyPair(algorithm))
  const jwtAuthorities = keyPairs.map(({ publicKey }, at) => toJwtAuthority(`key-${at}`, publicKey))
  return { bundle: { ...createTestAuthority('bank.test').bundle, jwtAuthorities }, keyPairs }
}

suite('an issuer of JWT-SVIDs', () => {
  const paths = {
    'https://id.bank.test': '',
    'https://id.bank.test/': '',
    'https://id.bank.test:8443/mesh': '/mesh',
    'https://id.bank.test/a/b/': '/a/b',
    'https://[::1]:7403': '',
  }
  for (const [url, path] of Object.entries(paths)) {
    test(`may be ${url}`, () => assert.deepEqual({ ...parseJwtIssuer(url) }, { url, path }))
  }

  for (const text of [
    '',
    'id.bank.test',
    'http://id.bank.test',
    'https://',
    'https://user@id.bank.test',
    'https://id.bank.test?x',
    'https://id.bank.test#x',
    'https://id.bank.test/ ',
    'https://id.bank.test:99999',
    `https://id.bank.test/${'a'.repeat(1024)}`,
  ]) {
    test(`is refused: ${JSON.stringify(text).slice(0, 40)}`, () => assert.throws(() => parseJwtIssuer(text), TypeError))
  }

  test('is refused with a TypeError or is a URL as it stands', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => {
        try {
          const { url, path } = parseJwtIssuer(text)
          assert.ok(url === text && (path === '' || path.startsWith('/')) && !path.endsWith('/'))
        } catch (thrown) {
          assert.ok(thrown instanceof TypeError)
        }
      }),
    )
  })
})

suite('OpenID Connect discovery', () => {
  test('lets a library that knows no SPIFFE verify a JWT-SVID', async () => {
    const issuer = parseJwtIssuer('https://id.bank.test/mesh')
    const { bundle, keyPairs } = bundleWith('ec-p256', 'rsa-2048')
    const documents = createOidcDocuments(bundle, issuer)
    const configuration = JSON.parse(documents.get('/mesh/.well-known/openid-configuration')!) as Record<
      string,
      unknown
    >
    assert.deepEqual(configuration, {
      issuer: issuer.url,
      jwks_uri: 'https://id.bank.test/mesh/keys',
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256'],
    })
    const keys = createLocalJWKSet(JSON.parse(documents.get('/mesh/keys')!) as JSONWebKeySet)
    const issuedAt = new Date()
    const claims = { id, audience: ['cloud'], issuedAt, expiresAt: new Date(issuedAt.getTime() + 60_000) }
    for (const [at, { privateKey }] of keyPairs.entries()) {
      const token = createJwtSvid({ ...claims, issuer: issuer.url }, { keyId: `key-${at}`, privateKey })
      const { payload } = await jwtVerify(token, keys, { issuer: issuer.url, audience: 'cloud' })
      assert.equal(payload.sub, id.uri)
    }
  })

  test('of a trust domain without JWT keys names no algorithm and no key', () => {
    const documents = createOidcDocuments(bundleWith().bundle, parseJwtIssuer('https://id.bank.test/'))
    const texts = [...documents].map(([path, text]) => [path, JSON.parse(text) as Record<string, unknown>] as const)
    const [[, configuration], [path, keys]] = texts as [(typeof texts)[number], (typeof texts)[number]]
    assert.deepEqual(configuration['id_token_signing_alg_values_supported'], [])
    assert.equal(configuration['jwks_uri'], 'https://id.bank.test/keys')
    assert.deepEqual([path, keys], ['/keys', { keys: [] }])
  })
})
