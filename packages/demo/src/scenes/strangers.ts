import { connect, type ConnectionOptions } from 'node:tls'
import { systemClock, type HostPort } from '@picket/runtime'

/**
 * Somebody who is not in the mesh, with OpenSSL's client and whatever certificate they have: they trust anything, send a
 * plain GET and see what comes back. With TLS 1.3 the client's half of the handshake ends before the server has looked
 * at the certificate, so a refusal shows as an alert or a close instead of an answer.
 */
export function callAsStranger(
  address: HostPort,
  credentials: Pick<ConnectionOptions, 'cert' | 'key'>,
): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect({ ...address, ...credentials, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
    const limit = systemClock.after(5000, () => socket.destroy())
    socket.on('secureConnect', () => socket.write('GET /health HTTP/1.1\r\nhost: ledger\r\nconnection: close\r\n\r\n'))
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
    socket.on('error', (error: NodeJS.ErrnoException) => (received ||= `refused: ${error.code ?? error.message}`))
    socket.on('close', () => {
      limit[Symbol.dispose]()
      resolve(received === '' ? 'refused: connection closed' : (received.split('\r\n')[0] ?? ''))
    })
  })
}
