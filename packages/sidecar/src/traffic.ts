import { createTasks, type Clock, type HostPort, type Logger, type Random, type Watch } from '@picket/runtime'
import type { AccessLog } from './access-log.ts'
import type { SidecarConfig } from './config.ts'
import { openInboundGate, type InboundGate, type TrafficListener } from './inbound-gate.ts'
import { startInbound } from './inbound-listener.ts'
import type { SidecarInputs } from './inputs.ts'
import { listenFor, tryListening, type Listening } from './listening.ts'
import { startOutbound } from './outbound.ts'
import type { OutboundRoute } from './settings.ts'
import type { SvidLife } from './svid-life.ts'
import type { TrafficMetrics } from './traffic-metrics.ts'

export interface TrafficDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: TrafficMetrics
  readonly accessLog: AccessLog
}

export interface TrafficOptions {
  readonly config: SidecarConfig
  readonly service: () => string
  readonly life: Watch<SvidLife>
  /** How long disposal waits for exchanges in flight. */
  readonly deadline: AbortSignal
}

/**
 * The listeners that carry requests. Disposal is the order of a graceful stop: inbound stops accepting and drains, and
 * only then the way out that its requests may still need.
 */
export interface Traffic extends AsyncDisposable {
  readonly inbound: HostPort | undefined
  readonly outbound: readonly { readonly route: OutboundRoute; readonly address: HostPort }[]
  readonly outboundListener: HostPort | undefined
  /** Rejects when the listeners can no longer be kept as they should be. */
  readonly failed: Promise<never>
}

/** Shows a port in use before anything else is begun. Throws `ERR_PORT_IN_USE`, `ERR_LISTEN`. */
export async function tryTrafficPorts({ inbound, outbound, outboundListener }: SidecarConfig): Promise<void> {
  if (inbound) await tryListening({ setting: 'inbound', address: inbound.listen })
  if (outboundListener) await tryListening({ setting: 'outboundListener', address: outboundListener })
  for (const { listen } of outbound) await tryListening({ setting: 'outbound', address: listen })
}

export async function openTraffic(deps: TrafficDeps, inputs: SidecarInputs, options: TrafficOptions): Promise<Traffic> {
  const { config, service, deadline } = options
  await using stack = new AsyncDisposableStack()

  async function openOutbound(listening: Listening, route: OutboundRoute | 'by-host'): Promise<HostPort> {
    const start = (listen: HostPort): Promise<TrafficListener> =>
      startOutbound(deps, inputs, { listen, route, service, keyExchange: config.keyExchange })
    const listener = stack.use(await listenFor(listening, start))
    stack.defer(async () => void (await listener.drain(deadline)))
    return listener.address
  }

  const outbound: { route: OutboundRoute; address: HostPort }[] = []
  for (const route of config.outbound) {
    outbound.push({ route, address: await openOutbound({ setting: 'outbound', address: route.listen }, route) })
  }
  const shared = config.outboundListener
  const outboundListener = shared && (await openOutbound({ setting: 'outboundListener', address: shared }, 'by-host'))
  const gate = await openGate(deps, inputs, options)
  if (gate) stack.defer(() => gate.close(deadline))
  const tasks = stack.use(createTasks())
  if (gate) tasks.start('inbound gate', (signal) => gate.run(signal))
  const moved = stack.move()
  return {
    inbound: gate?.address,
    outbound,
    outboundListener,
    failed: tasks.failed,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

async function openGate(
  deps: TrafficDeps,
  inputs: SidecarInputs,
  { config, service, life }: TrafficOptions,
): Promise<InboundGate | undefined> {
  const { inbound } = config
  if (!inbound) return undefined
  const open = (listen: HostPort): Promise<TrafficListener> =>
    startInbound(deps, inputs, { listen, app: inbound.app, service, keyExchange: config.keyExchange })
  return listenFor({ setting: 'inbound', address: inbound.listen }, (listen) =>
    openInboundGate({ ...deps, life, open }, listen),
  )
}
