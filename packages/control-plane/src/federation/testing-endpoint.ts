import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem, type X509Svid } from '@picket/identity'
import type { TestAuthority } from '@picket/identity/testing'

/** Somebody's bundle endpoint, which answers as the test has it. */
export interface TestEndpoint extends AsyncDisposable {
  /** `https://localhost:PORT`. */
  readonly origin: string
  /** Paths that were asked for. */
  readonly asked: string[]
  /** TCP connections that were opened. */
  readonly connections: number
}

export async function startTestEndpoint(
  svid: X509Svid,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestEndpoint> {
  const asked: string[] = []
  const open = new Set<Duplex>()
  let connections = 0
  const identity = { cert: encodeCertificatesPem(svid.chain), key: encodePrivateKeyPem(svid.privateKey) }
  const server = createServer(identity, (request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  server.on('connection', (socket) => {
    connections += 1
    open.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** A certificate as web servers have them: DNS names, no SPIFFE ID. */
export function issueWebCertificate(authority: TestAuthority, ...dnsNames: string[]): X509Svid {
  return authority.issueSvid('/web', { uris: [], dnsNames })
}

export function toPem(authority: TestAuthority): string {
  return encodeTrustBundlePem(authority.bundle)
}
