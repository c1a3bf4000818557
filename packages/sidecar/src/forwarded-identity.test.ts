import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseSpiffeId } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { verifyChain, type VerifiedPeer } from '@picket/mtls'
import { createFakeRandom } from '@picket/runtime/testing'
import {
  createFoldedNameSet,
  createForwardedIdentity,
  IDENTITY_HEADERS,
  quote,
  toForwardedClientCert,
} from './forwarded-identity.ts'
import { createRequestIds, REQUEST_ID_LENGTH } from './request-id.ts'

const authority = createTestAuthority('bank.test')
const own = parseSpiffeId('spiffe://bank.test/accounts')

function peerOf(path: string): VerifiedPeer {
  const peer = verifyChain([authority.issueSvid(path).chain[0]!.der], authority.bundles, new Date())
  assert(peer.kind === 'verified')
  return peer
}

test('values with separators are quoted as Envoy does', () => {
  const cases: [string, string][] = [
    ['spiffe://bank.test/a', 'spiffe://bank.test/a'],
    ['a,b', '"a,b"'],
    ['a;b', '"a;b"'],
    ['CN=a', '"CN=a"'],
    ['say "a"', '"say \\"a\\""'],
    ['', ''],
  ]
  for (const [value, expected] of cases) assert.equal(quote(value), expected)
})

test('the lines of a connection differ only in the request ID', () => {
  const peer = peerOf('/gateway')
  const identity = createForwardedIdentity(own, peer, createRequestIds(createFakeRandom()))
  const seen = [1, 2].map(() => {
    identity.nextRequestId()
    return {
      request: identity.requestLines.toString(),
      response: identity.responseLines.toString(),
      id: identity.requestId(),
    }
  })
  assert.notEqual(seen[0]!.id, seen[1]!.id)
  for (const { request, response, id } of seen) {
    assert.equal(request, `x-forwarded-client-cert: ${toForwardedClientCert(own, peer)}\r\nx-request-id: ${id}\r\n`)
    assert.equal(response, `x-request-id: ${id}\r\n`)
    assert.equal(identity.responseLines.toString('latin1', identity.requestIdAt, identity.requestIdAt + 36).length, 36)
  }
})

test('request IDs look like UUIDs, do not repeat and carry over', () => {
  const ones = { ...createFakeRandom(), bytes: (count: number) => Buffer.alloc(count, 0xff) }
  const ids = createRequestIds(ones)
  const target = Buffer.alloc(REQUEST_ID_LENGTH)
  ids.writePrefix(target, 0)
  const seen = new Set<string>()
  for (let made = 0; made < 1000; made++) {
    ids.next(target, 0)
    seen.add(target.toString())
  }
  assert.equal(seen.size, 1000)
  for (const id of seen) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  assert(seen.has('ffffffff-ffff-4fff-8fff-000000000000'))
})

test('a folded set finds its names in any spelling, and no others', () => {
  const found = (name: string): boolean => IDENTITY_HEADERS.idOf(Buffer.from(`a${name}b`), 1, 1 + name.length, 0) !== 0
  for (const name of ['x-request-id', 'X_Request_ID', 'X-FORWARDED_client-cert', 'x-picket-', 'x_picket_risk']) {
    assert(found(name), name)
  }
  for (const name of [
    '',
    'x',
    'x-',
    'x-request-i',
    'x-request-idd',
    'y-request-id',
    'x-forwarded-for',
    'x-picke',
    'xx-picket-a',
  ]) {
    assert(!found(name), name)
  }
})

test('the folded set agrees with a plain comparison', () => {
  const set = createFoldedNameSet(['x-a', 'x-bb-c'], 'x-p-')
  const letters = fc.constantFrom('x', 'X', '-', '_', 'a', 'A', 'b', 'B', 'c', 'p', 'P', '~')
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 8 }), (spelled) => {
      const name = spelled.join('')
      const plain = name.toLowerCase().replaceAll('_', '-')
      const expected = plain === 'x-a' || plain === 'x-bb-c' || plain.startsWith('x-p-')
      assert.equal(set.idOf(Buffer.from(name), 0, name.length, 0) !== 0, expected, name)
    }),
    { numRuns: 2000 },
  )
})
