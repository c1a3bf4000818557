import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatHostPort, isLoopback, parseHostPort } from './address.ts'

test('takes names, IPv4 and bracketed IPv6 addresses', () => {
  assert.deepEqual(parseHostPort('127.0.0.1:7443'), { host: '127.0.0.1', port: 7443 })
  assert.deepEqual(parseHostPort('accounts.local:80'), { host: 'accounts.local', port: 80 })
  assert.deepEqual(parseHostPort('[::1]:0'), { host: '::1', port: 0 })
})

const REJECTED = [
  ['nothing at all', ''],
  ['a host without a port', 'localhost'],
  ['a port without a host', ':7443'],
  ['a bare port', '7443'],
  ['a port above 65535', '127.0.0.1:65536'],
  ['a negative port', '127.0.0.1:-1'],
  ['a fraction', '127.0.0.1:80.5'],
  ['IPv6 without brackets', '::1:7443'],
  ['an open bracket', '[::1:7443'],
  ['a scheme', 'http://127.0.0.1:80'],
  ['a path', '127.0.0.1:80/'],
  ['spaces around', ' 127.0.0.1:80 '],
  ['a trailing line break', '127.0.0.1:80\n'],
  ['a user part', 'root@127.0.0.1:80'],
] as const

for (const [what, text] of REJECTED) {
  test(`refuses ${what}`, () => assert.throws(() => parseHostPort(text), { code: 'ERR_ADDRESS' }))
}

test('whatever is written is read back the same', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain())
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
      assert.deepEqual(parseHostPort(formatHostPort({ host: name, port })), { host: name, port })
    }),
  )
})

test('arbitrary text is an address or ERR_ADDRESS, nothing else', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { port } = parseHostPort(text)
        assert.ok(port >= 0 && port <= 65_535)
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, 'ERR_ADDRESS')
      }
    }),
  )
})

test('only loopback addresses count as loopback', () => {
  for (const host of ['localhost', '::1', '127.0.0.1', '127.255.0.3']) assert.equal(isLoopback(host), true, host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', 'localhost.example', '128.0.0.1']) {
    assert.equal(isLoopback(host), false, host)
  }
})
