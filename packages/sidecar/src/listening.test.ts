import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { listenFor, toListenError, tryListening } from './listening.ts'

const address = { host: '127.0.0.1', port: 7443 }

test('a port in use names the setting, the address and the way out, whoever met it', () => {
  for (const code of ['EADDRINUSE', 'ERR_PORT_IN_USE']) {
    const error = toListenError({ setting: 'inbound', address }, Object.assign(new Error('in use'), { code }))
    assert.equal(error.code, 'ERR_PORT_IN_USE')
    assert.match(error.message, /^inbound: 127\.0\.0\.1:7443 .*--inbound$/)
  }
})

test('any other trouble of a listener is told as it is, trouble of another kind is not a listener’s', async () => {
  const starting = (thrown: Error) => listenFor({ setting: 'outboundListener', address }, () => Promise.reject(thrown))
  await assert.rejects(starting(Object.assign(new Error('no right'), { code: 'EACCES' })), {
    code: 'ERR_LISTEN',
    message: /^outboundListener: 127\.0\.0\.1:7443 .*no right$/,
  })
  await assert.rejects(starting(new Error('bug')), { message: 'bug' })
  assert.equal(await listenFor({ setting: 'admin', address }, ({ port }) => Promise.resolve(port)), 7443)
})

test('a try leaves the port free, or says that it is taken', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const listening = { setting: 'inbound', address: { host: '127.0.0.1', port } } as const
  await assert.rejects(tryListening(listening), { code: 'ERR_PORT_IN_USE' })
  await new Promise<void>((resolve) => server.close(() => resolve()))
  await tryListening(listening)
  await tryListening(listening)
})

test('an address that is not of this machine is told as it is', async () => {
  await assert.rejects(tryListening({ setting: 'inbound', address: { host: '192.0.2.1', port: 1 } }), {
    code: 'ERR_LISTEN',
  })
})
