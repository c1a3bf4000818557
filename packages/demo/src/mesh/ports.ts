import { createServer } from 'node:net'
import type { HostPort } from '@picket/runtime'

/** `count` distinct free loopback ports, all held at once while asking, so that none is handed out twice. */
export async function freeAddresses(count: number): Promise<HostPort[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere))
  const addresses = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the system gave no port')
    return { host: '127.0.0.1', port: address.port }
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return addresses
}

function listenAnywhere(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}
