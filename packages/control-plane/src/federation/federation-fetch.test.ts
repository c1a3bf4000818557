import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { createBundleSource, encodeTrustBundle, parseSpiffeId } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemClock } from '@picket/runtime'
import type { EndpointProof } from './federation-connection.ts'
import type { FetchFailure } from './federation-failure.ts'
import { fetchDocument, type FetchedDocument, type FetchOptions } from './federation-fetch.ts'
import { issueWebCertificate, startTestEndpoint, toPem } from './testing-endpoint.ts'

const partner = createTestAuthority('partner.test')
const endpointId = parseSpiffeId('spiffe://partner.test/endpoint')
const svid = partner.issueSvid('/endpoint')
const spiffe: EndpointProof = { kind: 'https_spiffe', endpointId, bundles: partner.bundles, now: new Date() }
const webAuthority = createTestAuthority('web.test')
const web: EndpointProof = { kind: 'https_web', authorities: [toPem(webAuthority)] }
const webCertificate = issueWebCertificate(webAuthority, 'localhost')
const document = encodeTrustBundle(partner.bundle)

function fetchFrom(
  url: string,
  proof: EndpointProof,
  options: Partial<FetchOptions> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<FetchedDocument | FetchFailure> {
  const limits = { maxRedirects: 3, timeoutMs: 5000, maxBytes: 65_536, ...options }
  return fetchDocument({ clock: systemClock, userAgent: 'picket/test' }, new URL(url), proof, limits, signal)
}

async function failureOf(outcome: Promise<FetchedDocument | FetchFailure>): Promise<string> {
  const { kind, ...rest } = await outcome
  assert.equal(kind, 'failed')
  return (rest as FetchFailure).code
}

suite('a bundle is fetched', () => {
  for (const [profile, proof, identity] of [
    ['https_spiffe', spiffe, svid],
    ['https_web', web, webCertificate],
  ] as const) {
    test(`from an ${profile} endpoint`, async () => {
      await using endpoint = await startTestEndpoint(identity, (_, response) => response.end(document))
      const outcome = await fetchFrom(`${endpoint.origin}/bundle?domain=partner.test`, proof)
      assert.ok(outcome.kind === 'fetched', JSON.stringify(outcome))
      assert.equal(outcome.body.toString(), document)
      assert.deepEqual(endpoint.asked, ['/bundle?domain=partner.test'])
    })

    test(`over redirects of an ${profile} endpoint, as far as three`, async () => {
      await using endpoint = await startTestEndpoint(identity, ({ url }, response) => {
        const step = Number(url?.slice(1))
        if (step < 3) response.writeHead([302, 307, 303][step]!, { location: `/${step + 1}` }).end('moved')
        else response.end(document)
      })
      assert.equal((await fetchFrom(`${endpoint.origin}/0`, proof)).kind, 'fetched')
      assert.deepEqual(endpoint.asked, ['/0', '/1', '/2', '/3'])
      assert.equal(await failureOf(fetchFrom(`${endpoint.origin}/0`, proof, { maxRedirects: 2 })), 'redirect')
      assert.equal(await failureOf(fetchFrom(`${endpoint.origin}/0`, proof, { maxRedirects: 0 })), 'redirect')
    })
  }

  test('says who asks, and shows no certificate', async () => {
    let seen: unknown
    await using endpoint = await startTestEndpoint(svid, ({ method, headers }, response) => {
      seen = { method, ...headers }
      response.end(document)
    })
    await fetchFrom(endpoint.origin, spiffe)
    assert.deepEqual(seen, {
      method: 'GET',
      host: endpoint.origin.slice('https://'.length),
      accept: 'application/json',
      'user-agent': 'picket/test',
      connection: 'close',
    })
  })
})

suite('nothing is asked of', () => {
  const stranger = createTestAuthority('partner.test')
  const intruders = {
    'a peer with another SPIFFE ID': [spiffe, partner.issueSvid('/other')],
    'a peer of another trust domain': [spiffe, createTestAuthority('other.test').issueSvid('/endpoint')],
    'a peer whose authority is not in the bundle': [spiffe, stranger.issueSvid('/endpoint')],
    'a peer whose SVID has expired': [
      spiffe,
      partner.issueSvid('/endpoint', { notAfter: new Date(Date.now() - 1000) }),
    ],
    'a peer with two URI names': [
      spiffe,
      partner.issueSvid('/endpoint', { uris: [endpointId.uri, 'https://partner.test'] }),
    ],
    'a peer with a web certificate where an SVID must be': [spiffe, webCertificate],
    'a web server of another name': [web, issueWebCertificate(webAuthority, 'elsewhere.test')],
    'a web server whose authority is not known': [web, issueWebCertificate(createTestAuthority('x.test'), 'localhost')],
    'a web server whose certificate has expired': [
      web,
      webAuthority.issueSvid('/web', { uris: [], dnsNames: ['localhost'], notAfter: new Date(Date.now() - 1000) }),
    ],
    'a peer with a good SVID where a web certificate must be': [web, svid],
  } as const
  for (const [whom, [proof, identity]] of Object.entries(intruders)) {
    test(whom, async () => {
      await using endpoint = await startTestEndpoint(identity, (_, response) => response.end(document))
      assert.equal(await failureOf(fetchFrom(endpoint.origin, proof)), 'wrong-endpoint')
      assert.deepEqual(endpoint.asked, [])
    })
  }

  test('anybody, when the bundle of the endpoint trusts nobody', async () => {
    const bundles = createBundleSource([{ ...partner.bundle, x509Authorities: [] }])
    await using endpoint = await startTestEndpoint(svid, (_, response) => response.end(document))
    assert.equal(await failureOf(fetchFrom(endpoint.origin, { ...spiffe, bundles })), 'wrong-endpoint')
    assert.deepEqual(endpoint.asked, [])
  })

  test('whoever a redirect leads to, unless it is the endpoint too', async () => {
    await using other = await startTestEndpoint(partner.issueSvid('/other'), (_, response) => response.end(document))
    await using endpoint = await startTestEndpoint(svid, (_, response) => {
      response.writeHead(302, { location: `${other.origin}/` }).end()
    })
    assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'wrong-endpoint')
    assert.deepEqual([endpoint.asked, other.asked], [['/'], []])
  })
})

suite('a fetch fails, and ends, when the endpoint', () => {
  const locations = {
    'redirects to plain http': 'http://localhost/',
    'redirects with a user': 'https://a:b@localhost/',
    'redirects to a file': 'file:///etc/passwd',
    'redirects to nonsense': 'https://[',
    'redirects in a circle': '/',
  }
  for (const [what, location] of Object.entries(locations)) {
    test(what, async () => {
      await using endpoint = await startTestEndpoint(svid, (_, response) => {
        response.writeHead(302, { location }).end()
      })
      assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'redirect')
      assert.equal(endpoint.connections, location === '/' ? 4 : 1)
    })
  }

  test('answers with anything but 200', async () => {
    for (const status of [201, 204, 206, 302, 304, 401, 404, 500, 503]) {
      await using endpoint = await startTestEndpoint(svid, (_, response) => response.writeHead(status).end())
      assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'status', String(status))
    }
  })

  test('announces more than is taken, or sends more without announcing it', async () => {
    let sent = 0
    await using endpoint = await startTestEndpoint(svid, ({ url }, response) => {
      if (url === '/announced') return response.writeHead(200, { 'content-length': '100000000' }).flushHeaders()
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384, 0x20))) sent += 16_384
      }
      response.on('drain', pour)
      pour()
    })
    assert.equal(await failureOf(fetchFrom(`${endpoint.origin}/announced`, spiffe)), 'too-large')
    assert.equal(await failureOf(fetchFrom(`${endpoint.origin}/poured`, spiffe)), 'too-large')
    assert.ok(sent < 8 * 1024 * 1024, `${sent} bytes were taken`)
  })

  test('compresses what nobody asked it to', async () => {
    await using endpoint = await startTestEndpoint(svid, (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(document)
    })
    assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'malformed')
  })

  test('stops in the middle', async () => {
    await using endpoint = await startTestEndpoint(svid, (_, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"keys": [', () => response.destroy())
    })
    assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'unreachable')
  })

  test('does not answer in time, or byte by byte', async () => {
    await using endpoint = await startTestEndpoint(svid, ({ url }, response) => {
      if (url === '/silent') return
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    })
    for (const path of ['/silent', '/drip']) {
      assert.equal(await failureOf(fetchFrom(`${endpoint.origin}${path}`, spiffe, { timeoutMs: 300 })), 'timeout')
    }
  })

  test('accepts connections and says nothing', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, 'localhost', resolve))
    const origin = `https://localhost:${(silent.address() as AddressInfo).port}`
    try {
      assert.equal(await failureOf(fetchFrom(origin, spiffe, { timeoutMs: 300 })), 'timeout')
      const abort = new AbortController()
      const fetching = failureOf(fetchFrom(origin, spiffe, {}, abort.signal))
      abort.abort()
      assert.equal(await fetching, 'unreachable')
      assert.equal(await failureOf(fetchFrom(origin, spiffe, {}, abort.signal)), 'unreachable')
    } finally {
      silent.close()
    }
  })

  test('speaks no TLS', async () => {
    const plain = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
    await new Promise<void>((resolve) => plain.listen(0, 'localhost', resolve))
    const origin = `https://localhost:${(plain.address() as AddressInfo).port}`
    try {
      assert.equal(await failureOf(fetchFrom(origin, spiffe)), 'tls')
    } finally {
      plain.close()
    }
  })

  test('speaks no HTTP, or sends heads without end', async () => {
    await using endpoint = await startTestEndpoint(svid, ({ socket, url }) => {
      if (url === '/garbage') return void socket.end('no HTTP at all\r\n\r\n')
      socket.write(`HTTP/1.1 200 OK\r\n${`x-filler: ${'x'.repeat(1000)}\r\n`.repeat(64)}`)
    })
    for (const path of ['/garbage', '/heads']) {
      assert.equal(await failureOf(fetchFrom(`${endpoint.origin}${path}`, spiffe)), 'malformed')
    }
  })

  test('is not there', async () => {
    const endpoint = await startTestEndpoint(svid, () => {})
    await endpoint[Symbol.asyncDispose]()
    assert.equal(await failureOf(fetchFrom(endpoint.origin, spiffe)), 'unreachable')
    assert.equal(await failureOf(fetchFrom('https://no-such-host.invalid/', spiffe)), 'unreachable')
  })
})
