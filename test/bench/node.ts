import { join } from 'node:path'
import { startProcess } from './processes.ts'
import type { Contestant } from './site.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Our inbound sidecar from files: identity checked, Rego decision, identity headers, metrics and access log. */
export const sidecar: Contestant = {
  name: 'picket',
  does: 'mutual TLS, SPIFFE verification, Rego decision per request, identity headers, metrics, JSON access log',
  missing: undefined,
  accessLog: 'access.log',
  start({ folder, port, upstreamPort, service }) {
    const flags = {
      svid: service.svid,
      key: service.key,
      'trust-bundle': service.bundle,
      policy: join(ROOT, 'policies/authz.bundle.tar.gz'),
      inbound: `127.0.0.1:${port}`,
      app: `127.0.0.1:${upstreamPort}`,
      admin: '127.0.0.1:0',
      'access-log': join(folder, 'access.log'),
    }
    const nodeOptions = process.env.PICKET_BENCH_NODE_OPTIONS?.split(' ') ?? []
    const settings = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
    const args = [...nodeOptions, join(ROOT, 'packages/cli/src/main.ts'), 'sidecar', ...settings]
    return startProcess(process.execPath, args, folder, join(folder, 'output.log'))
  },
}

export const raw: Contestant = {
  name: 'raw',
  does: 'a Node TLS socket piped to a TCP socket: no parsing, no policy, no log (the floor of the platform)',
  missing: undefined,
  start({ folder, port, upstreamPort, service }) {
    const script = join(import.meta.dirname, 'raw-proxy.ts')
    const args = [script, String(port), String(upstreamPort), service.svid, service.key, service.bundle]
    return startProcess(process.execPath, args, folder, join(folder, 'output.log'))
  },
}
