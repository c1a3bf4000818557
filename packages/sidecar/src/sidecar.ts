import type { SpiffeId } from '@picket/identity'
import {
  createMetrics,
  createTasks,
  createWatch,
  formatHostPort,
  startAdmin,
  type Clock,
  type HostPort,
  type LogFields,
  type Logger,
  type Metrics,
  type Random,
  type Watch,
} from '@picket/runtime'
import sidecarPackage from '../package.json' with { type: 'json' }
import { createAccessLog } from './access-log.ts'
import { createAdminRoutes } from './admin.ts'
import { createAppProbe } from './app-probe.ts'
import { createSidecarConfig, type SidecarConfig } from './config.ts'
import type { SidecarInputs } from './inputs.ts'
import { beginLifecycle, type Running } from './lifecycle.ts'
import { listenFor } from './listening.ts'
import { createReadiness, type Readiness, type ReadinessReason } from './readiness.ts'
import type { OutboundRoute, SidecarSettings } from './settings.ts'
import { openSource } from './source.ts'
import { watchSvidLife } from './svid-life.ts'
import { createTrafficMetrics } from './traffic-metrics.ts'
import { openTraffic, tryTrafficPorts } from './traffic.ts'
import { openWorkloadApi } from './workload/workload-api.ts'

export interface SidecarDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics?: Metrics
}

/** Where the sidecar really listens: ports that were 0 are filled in. */
export interface SidecarAddresses {
  readonly inbound: HostPort | undefined
  readonly outbound: readonly { readonly route: OutboundRoute; readonly address: HostPort }[]
  readonly outboundListener: HostPort | undefined
  readonly admin: HostPort
  /** Path of the Unix socket. */
  readonly workloadApi: string | undefined
  readonly workloadApiTcp: HostPort | undefined
}

export interface Sidecar extends AsyncDisposable {
  readonly id: SpiffeId
  readonly addresses: SidecarAddresses
  /** Why it is not ready; empty when it is. */
  readonly readiness: Watch<readonly ReadinessReason[]>
  /**
   * Resolves once identity and policy are in place: from then on an app may be started behind it. Rejects when it stops
   * before.
   */
  readonly ready: Promise<void>
  /** Resolves when it has stopped and drained; rejects when a part of it failed. */
  readonly closed: Promise<void>
}

/**
 * Starts a sidecar and resolves when all its listeners are bound, which needs a first SVID; the admin listener answers
 * meanwhile. Abort `signal` (SIGTERM) or dispose the result to drain and stop. Rejects with a `SidecarError`, with what
 * the parsers of its files throw, or with the signal's reason.
 */
export async function startSidecar(
  deps: SidecarDeps,
  settings: SidecarSettings,
  signal: AbortSignal,
): Promise<Sidecar> {
  signal.throwIfAborted()
  const config = createSidecarConfig(settings)
  const deadline = new AbortController()
  await using stack = new AsyncDisposableStack()
  try {
    const start = { ...deps, metrics: deps.metrics ?? createMetrics(), config, settings, deadline: deadline.signal }
    const { id, addresses, readiness, failures } = await startParts(start, stack, signal)
    signal.throwIfAborted()
    const { drainTimeoutMs } = config
    const running = { stack: stack.move(), readiness, failures, deadline, drainTimeoutMs }
    const lifecycle = beginLifecycle(deps, running, signal)
    deps.logger.info('sidecar listens', { spiffeId: id.uri, ...showAddresses(addresses) })
    const { ready, closed } = lifecycle
    return { id, addresses, readiness, ready, closed, [Symbol.asyncDispose]: () => lifecycle.stop() }
  } catch (thrown) {
    deadline.abort() // a start that is given up drains nobody
    signal.throwIfAborted()
    throw thrown
  }
}

interface Start extends Required<SidecarDeps> {
  readonly config: SidecarConfig
  readonly settings: SidecarSettings
  readonly deadline: AbortSignal
}

interface Started extends Pick<Running, 'readiness' | 'failures'> {
  readonly id: SpiffeId
  readonly addresses: SidecarAddresses
}

/** The order is the reverse of the stop's: what is registered last ends first. */
async function startParts(deps: Start, stack: AsyncDisposableStack, signal: AbortSignal): Promise<Started> {
  const { config, settings, metrics, deadline } = deps
  const readiness = stack.use(createReadiness())
  const probe = config.inbound && createAppProbe(deps.clock, config.inbound.app)
  const identity = createWatch<SidecarInputs | undefined>(undefined)
  const routes = createAdminRoutes({
    settings,
    metrics,
    readiness,
    refresh: async () => probe?.probe(),
    identity,
  })
  const startAt = (address: HostPort) => startAdmin(deps, { address, routes })
  const admin = stack.use(await listenFor({ setting: 'admin', address: config.admin }, startAt))
  const workloadApi = config.workloadApi && stack.use(await openWorkloadApi(deps, config.workloadApi))
  await tryTrafficPorts(config)
  const accessLog = stack.use(await createAccessLog(config.accessLog, deps))
  const source = stack.use(await openSource(deps, config.source, signal))
  const { inputs } = source
  identity.set(inputs)
  workloadApi?.serve(source.workloads)
  const life = stack.use(watchSvidLife(deps, inputs.svid))
  const policy = config.inbound && inputs.policy.engine
  readiness.follow({ ...inputs, life, policy, appReachable: probe?.reachable })
  showGauges(deps, inputs, readiness)
  const tasks = stack.use(createTasks())
  const counts = createTrafficMetrics(metrics)
  const service = (): string => config.service ?? source.service()
  const options = { config, service, life, deadline }
  const traffic = stack.use(await openTraffic({ ...deps, metrics: counts, accessLog }, inputs, options))
  if (probe) tasks.start('app probe', (aborted) => probe.run(aborted))
  source.start(tasks, {
    advertise: advertisedAt(config, traffic.inbound),
    version: sidecarPackage.version,
    report: () => ({
      ready: readiness.value.length === 0,
      notReadyReasons: readiness.value,
      requestsAllowed: counts.requestsAllowed,
      requestsDenied: counts.requestsDenied,
      keyExchangeGroup: counts.keyExchangeGroup,
    }),
    reportOn: [readiness, inputs.policy.engine],
  })
  const { inbound, outbound, outboundListener } = traffic
  const { socket, tcp: workloadApiTcp } = workloadApi ?? { socket: undefined, tcp: undefined }
  const workloads = { workloadApi: socket, workloadApiTcp }
  const addresses = { inbound, outbound, outboundListener, admin: admin.address, ...workloads }
  return { id: inputs.svid.value.id, addresses, readiness, failures: [tasks.failed, traffic.failed] }
}

function advertisedAt({ source }: SidecarConfig, inbound: HostPort | undefined): HostPort | undefined {
  if (source.kind !== 'control-plane' || !source.advertise || !inbound) return undefined
  const { host, port } = source.advertise
  return { host, port: port === 0 ? inbound.port : port }
}

function showGauges(
  { metrics, clock }: Pick<Start, 'metrics' | 'clock'>,
  { svid }: SidecarInputs,
  readiness: Readiness,
): void {
  const notAfter = metrics.gauge('picket_svid_not_after_seconds', 'When the SVID expires, in seconds since the epoch')
  const budget = metrics.gauge(
    'picket_outage_budget_seconds',
    'How long the SVID still serves without the control plane',
  )
  const ready = metrics.gauge('picket_ready', '1 while there is no reason against readiness')
  metrics.onRender(() => {
    notAfter.set(svid.value.notAfter.getTime() / 1000)
    budget.set(Math.max(0, (svid.value.notAfter.getTime() - clock.now()) / 1000))
    ready.set(readiness.value.length === 0 ? 1 : 0)
  })
}

function showAddresses(addresses: SidecarAddresses): LogFields {
  const { inbound, outbound, outboundListener, admin, workloadApi, workloadApiTcp } = addresses
  return {
    inbound: inbound && formatHostPort(inbound),
    outbound: outbound.map(({ address }) => formatHostPort(address)),
    outboundListener: outboundListener && formatHostPort(outboundListener),
    admin: formatHostPort(admin),
    workloadApi,
    workloadApiTcp: workloadApiTcp && formatHostPort(workloadApiTcp),
  }
}
