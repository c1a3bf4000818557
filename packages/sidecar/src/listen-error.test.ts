import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toListenError } from './listen-error.ts'

const address = { host: '127.0.0.1', port: 7443 }

test('a port in use names the setting, the address and the way out, whoever met it', () => {
  for (const code of ['EADDRINUSE', 'ERR_PORT_IN_USE']) {
    const error = toListenError('inbound', address, Object.assign(new Error('in use'), { code }))
    assert.equal(error.code, 'ERR_PORT_IN_USE')
    assert.match(error.message, /^inbound: 127\.0\.0\.1:7443 .*--inbound$/)
  }
})

test('any other trouble is told as it is', () => {
  const error = toListenError('outboundListener', address, Object.assign(new Error('no right'), { code: 'EACCES' }))
  assert.equal(error.code, 'ERR_LISTEN')
  assert.match(error.message, /^outboundListener: 127\.0\.0\.1:7443 .*no right$/)
})
