import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { examples, outputOf } from '../program.ts'

type Port = {
  readonly port: number
  readonly process: string
  readonly reach: string
  readonly flag: string
  readonly use: string
}

/** The block of default ports; the settings tables hold the same numbers, and a test compares them. */
export const PORTS: readonly Port[] = [
  {
    port: 7400,
    process: 'control-plane',
    reach: 'mesh',
    flag: '--listen',
    use: 'gRPC over mutual TLS: sidecars and operators',
  },
  { port: 7402, process: 'control-plane', reach: 'loopback', flag: '--health', use: '/live /ready /metrics' },
  {
    port: 7403,
    process: 'control-plane',
    reach: 'federation',
    flag: '--bundle-endpoint',
    use: 'SPIFFE bundle, OpenID Connect discovery; off unless given',
  },
  { port: 7443, process: 'sidecar', reach: 'mesh', flag: '--inbound', use: 'mutual TLS from other sidecars' },
  {
    port: 7480,
    process: 'sidecar',
    reach: 'loopback',
    flag: '--outbound-listener',
    use: "the app's plain calls to NAME.mesh",
  },
  { port: 7490, process: 'sidecar', reach: 'loopback', flag: '--admin', use: '/live /ready /metrics' },
]

export function configurePorts(command: Command, context: CliContext): void {
  examples(command, 'picket ports', 'picket ports -o json').action((_options, self: Command) =>
    outputOf(self, context).list({
      kind: 'PortList',
      items: PORTS,
      columns: [
        ['PORT', ({ port }) => String(port)],
        ['PROCESS', ({ process }) => process],
        ['REACH', ({ reach }) => reach],
        ['FLAG', ({ flag }) => flag],
        ['USE', ({ use }) => use],
      ],
    }),
  )
}
