import type { AddressInfo, OnReadOpts, Socket } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'

/** TLS without certificates: both ends know a key. What the sockets do is the same. */
const PSK = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
const KEY = { psk: Buffer.alloc(32, 7), identity: 'test' }

export async function listenTls(
  onSocket: (socket: TLSSocket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server = tls.createServer({ ...PSK, pskCallback: () => KEY.psk, pskIdentityHint: 'test' }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function connectTls(port: number, read: { readonly onread?: OnReadOpts } = {}): TLSSocket {
  const options = { ...PSK, port, host: '127.0.0.1', checkServerIdentity: () => undefined, ...read }
  return tls.connect({ ...options, pskCallback: () => KEY })
}
