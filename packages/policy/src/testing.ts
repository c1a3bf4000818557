import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseRequestHead, type RequestHead } from '@picket/http'
import { parseSpiffeId } from '@picket/identity'
import type { InputContext } from './input.ts'

/** The folder of the shipped policies. */
export const SHIPPED_POLICIES = fileURLToPath(new URL('../../../policies', import.meta.url))

/** The shipped policy, compiled: decides for the bank's services without OPA. */
export function readShippedBundle(): Promise<Buffer> {
  return readFile(`${SHIPPED_POLICIES}/authz.bundle.tar.gz`)
}

/** A caller `/gateway` of `bank.test` at a service's inbound sidecar. `null` is a caller without identity. */
export function createTestContext(
  callerPath: string | null = '/gateway',
  service = 'accounts',
  trustDomain = 'bank.test',
): InputContext {
  return {
    caller: callerPath === null ? undefined : parseSpiffeId(`spiffe://${trustDomain}${callerPath}`),
    service,
    serviceId: parseSpiffeId(`spiffe://bank.test/${service}`),
    source: { host: '127.0.0.1', port: 50_000 },
    destination: { host: '127.0.0.1', port: 7443 },
    direction: 'inbound',
  }
}

/** `GET /a`, with header lines → a parsed head. Throws when http refuses it. */
export function createTestHead(requestLine: string, headers: readonly string[] = []): RequestHead {
  const lines = [`${requestLine} HTTP/1.1`, 'host: accounts.mesh', ...headers]
  const head = parseRequestHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  if (!head || 'kind' in head) throw new TypeError(`not a request head: ${JSON.stringify(lines)}`)
  return head
}
