import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseSpiffeId } from '@picket/identity'
import fc from 'fast-check'
import {
  encodeEndpoints,
  encodeServiceConfig,
  isServiceName,
  parseEndpoints,
  parseServiceConfig,
  type Endpoints,
} from './payloads.ts'

const ENDPOINTS: Endpoints = {
  services: [
    {
      name: 'payments',
      spiffeId: parseSpiffeId('spiffe://bank.test/payments'),
      addresses: [
        { host: '127.0.0.1', port: 7443 },
        { host: '::1', port: 7444 },
      ],
    },
  ],
}

const SERVICE = '{"name":"payments","spiffeId":"spiffe://bank.test/payments","addresses":["127.0.0.1:1"]}'

suite('payloads', () => {
  test('endpoints are read as they were written', () => {
    assert.deepEqual(parseEndpoints(encodeEndpoints(ENDPOINTS)), ENDPOINTS)
    assert.deepEqual(parseEndpoints(encodeEndpoints({ services: [] })), { services: [] })
  })

  test('the service configuration is read as it was written', () => {
    const config = { service: { name: 'payments' } }
    assert.deepEqual(parseServiceConfig(encodeServiceConfig(config)), config)
  })

  test('members that this version does not know are ignored', () => {
    const later = `{"services":[${SERVICE.replace('{', '{"weight":3,')}],"zones":[]}`
    assert.equal(parseEndpoints(Buffer.from(later)).services[0]?.name, 'payments')
  })

  const refused = [
    '',
    'null',
    '[]',
    '{}',
    '{"services":{}}',
    '{"services":[null]}',
    '{"services":[{}]}',
    `{"services":[${SERVICE.replace('payments"', 'Payments"')}]}`,
    `{"services":[${SERVICE.replace('spiffe:', 'https:')}]}`,
    `{"services":[${SERVICE.replace('127.0.0.1:1', '127.0.0.1')}]}`,
    `{"services":[${SERVICE.replace('["127.0.0.1:1"]', '"127.0.0.1:1"')}]}`,
    '{"__proto__":{"services":[]}}',
  ]
  for (const text of refused) {
    test(`refuses ${text === '' ? 'nothing' : text}`, () => {
      assert.throws(() => parseEndpoints(Buffer.from(text)), { code: 'ERR_RPC_INVALID' })
      assert.throws(() => parseServiceConfig(Buffer.from(text)), { code: 'ERR_RPC_INVALID' })
    })
  }

  test('refuses any bytes that it does not read, with its own error only', () => {
    const anything = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => Buffer.from(json)),
    )
    fc.assert(
      fc.property(anything, (bytes) => {
        for (const parse of [parseEndpoints, parseServiceConfig]) {
          try {
            parse(bytes)
          } catch (thrown) {
            assert.equal((thrown as { code?: string }).code, 'ERR_RPC_INVALID')
          }
        }
      }),
    )
  })

  test('a service name is a host label', () => {
    for (const name of ['a', 'payments', 'payments-2', 'fraud_check', '9', 'a'.repeat(63)])
      assert.ok(isServiceName(name), name)
    for (const name of ['', '-a', 'a-', 'A', 'a.b', 'ä', 'a b', '*', 'a\n', 'a'.repeat(64)])
      assert.ok(!isServiceName(name), name)
  })
})
