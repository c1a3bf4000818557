import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import {
  createBundleSource,
  createRevocationList,
  encodeTrustBundle,
  parseTrustDomain,
  type BundleSource,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemClock } from '@picket/runtime'
import { createBundleFetcher } from './federation-fetcher.ts'
import { parseRelationship } from './federation-relationship.ts'
import { issueWebCertificate, startTestEndpoint, toPem, type TestEndpoint } from './testing-endpoint.ts'

const own = parseTrustDomain('bank.test')
const partner = createTestAuthority('partner.test')
const endpointSpiffeId = 'spiffe://partner.test/endpoint'
const folder = mkdtempSync(join(tmpdir(), 'picket-fetcher-'))
after(() => rmSync(folder, { recursive: true }))
const { signal } = new AbortController()

type Options = Parameters<typeof createBundleFetcher>[1]

async function outcomeOf(
  url: string,
  profile: 'https_web' | 'https_spiffe',
  bundles: BundleSource = partner.bundles,
  options: Partial<Options> = {},
): Promise<string> {
  const defaults: Options = { federationWebCa: undefined, federationRedirects: 'follow', userAgent: 'picket/test' }
  const fetch = createBundleFetcher({ clock: systemClock }, { ...defaults, ...options })
  const id = profile === 'https_web' ? '' : endpointSpiffeId
  const relationship = parseRelationship({ trustDomain: 'partner.test', url, profile, endpointSpiffeId: id }, own)
  const outcome = await fetch(relationship, bundles, signal)
  return outcome.kind === 'fetched' ? 'fetched' : outcome.code
}

function startSpiffe(): Promise<TestEndpoint> {
  return startTestEndpoint(partner.issueSvid('/endpoint'), ({ url }, response) => {
    if (url === '/moved') response.writeHead(307, { location: '/' }).end()
    else response.end(encodeTrustBundle(partner.bundle))
  })
}

suite('a bundle by https_spiffe', () => {
  test('is fetched with the bundle of the endpoint’s own trust domain, and with no other', async () => {
    await using endpoint = await startSpiffe()
    assert.equal(await outcomeOf(endpoint.origin, 'https_spiffe'), 'fetched')
    const other = createTestAuthority('other.test').bundle
    for (const bundles of [createBundleSource([]), createBundleSource([other])]) {
      assert.equal(await outcomeOf(endpoint.origin, 'https_spiffe', bundles), 'no-bundle')
    }
    assert.equal(endpoint.connections, 1)
  })

  test('is not fetched from an endpoint on the deny-list', async () => {
    await using endpoint = await startSpiffe()
    const revoked = createRevocationList([{ kind: 'spiffe-id', value: endpointSpiffeId }])
    const bundles = createBundleSource([partner.bundle], revoked)
    assert.equal(await outcomeOf(endpoint.origin, 'https_spiffe', bundles), 'wrong-endpoint')
    assert.deepEqual(endpoint.asked, [])
  })

  test('is fetched over redirects unless they are refused', async () => {
    await using endpoint = await startSpiffe()
    const url = `${endpoint.origin}/moved`
    assert.equal(await outcomeOf(url, 'https_spiffe'), 'fetched')
    const refuse = { federationRedirects: 'refuse' as const }
    assert.equal(await outcomeOf(url, 'https_spiffe', partner.bundles, refuse), 'redirect')
    assert.deepEqual(endpoint.asked, ['/moved', '/', '/moved'])
  })
})

test('a bundle by https_web is fetched by the public web’s authorities and those of a file, as it is now', async () => {
  const authority = createTestAuthority('web.test')
  const file = join(folder, 'web-ca.pem')
  const options = { federationWebCa: file }
  await using endpoint = await startTestEndpoint(issueWebCertificate(authority, 'localhost'), (_, response) => {
    response.end(encodeTrustBundle(partner.bundle))
  })
  const outcome = (change: Partial<Options> = options): Promise<string> =>
    outcomeOf(endpoint.origin, 'https_web', partner.bundles, change)
  assert.equal(await outcome({}), 'wrong-endpoint')
  assert.equal(await outcome(), 'web-ca')
  writeFileSync(file, toPem(createTestAuthority('web.test')))
  assert.equal(await outcome(), 'wrong-endpoint')
  writeFileSync(file, toPem(authority))
  assert.equal(await outcome(), 'fetched')
  assert.deepEqual(endpoint.asked, ['/'])
})
