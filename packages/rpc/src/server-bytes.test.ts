import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { suite, test } from 'node:test'
import type { ServiceError } from '@grpc/grpc-js'
import { methodDefinition, type Method } from './contract.ts'
import { outcomeOf, startTestControlPlane, type TestControlPlane } from './testing.ts'

const CSR = Buffer.from('csr')

/** A call whose bytes are `bytes`, whatever the method expects. */
function callWithBytes(controlPlane: TestControlPlane, method: Method, bytes: Buffer): Promise<string> {
  const same = (value: Buffer): Buffer => value
  const { path } = methodDefinition(method)
  return new Promise((resolve) => {
    controlPlane
      .rawClient('/payments')
      .makeUnaryRequest(path, same, same, bytes, (error: ServiceError | null) =>
        resolve(error ? `${error.code} ${error.details}` : 'ok'),
      )
  })
}

suite('bytes that are no message', () => {
  test('malformed protocol buffers are one refused call, and the next call works', async () => {
    await using controlPlane = await startTestControlPlane()
    const malformed = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1])
    assert.match(await callWithBytes(controlPlane, 'Certificates/Issue', malformed), /^3 /)
    assert.equal(controlPlane.log.filter(({ message }) => message === 'call refused').length, 1)
    assert.equal(await callWithBytes(controlPlane, 'Certificates/Issue', Buffer.alloc(0)), 'ok')
    assert.match(await callWithBytes(controlPlane, 'Admin/CreateEntry', malformed), /^7 /)
  })

  test('a message over 4 MiB is refused', async () => {
    await using controlPlane = await startTestControlPlane()
    const client = controlPlane.client('/payments')
    assert.equal(await outcomeOf(client.issue({ csr: Buffer.alloc(4.5 * 1024 * 1024) })), 'ERR_RPC_EXHAUSTED')
    const answer = await callWithBytes(controlPlane, 'Certificates/Issue', Buffer.alloc(4.5 * 1024 * 1024))
    assert.match(answer, /^8 /)
    assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ok')
  })

  test('garbage on the port, before TLS and inside it, does not stop the server', async () => {
    await using controlPlane = await startTestControlPlane()
    const { port } = controlPlane.server.address
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(4096), '\x16\x03\x01\x02\x00']) {
      const socket = connectTcp(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.end(garbage)
      await once(socket.resume(), 'close')
    }
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\xff'.repeat(500)]) {
      for (const ALPNProtocols of [['h2'], []]) {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols })
        socket.on('error', () => {})
        socket.once('secureConnect', () => socket.end(garbage, 'latin1'))
        await once(socket.resume(), 'close')
      }
    }
    assert.equal(await outcomeOf(controlPlane.client('/payments').issue({ csr: CSR })), 'ok')
  })
})
