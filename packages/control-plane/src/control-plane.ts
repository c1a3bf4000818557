import { join } from 'node:path'
import { openAuthority } from '@picket/ca'
import type { TrustDomain, X509Svid } from '@picket/identity'
import { controlPlaneId, operatorId, startControlPlaneServer, type ControlPlaneHandlers } from '@picket/rpc'
import {
  createMetrics,
  createTasks,
  formatHostPort,
  sleepUnlessAborted,
  type Clock,
  type HostPort,
  type Logger,
  type Metrics,
  type Random,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import { createAdmin } from './admin.ts'
import { openAuthorityService, type AuthorityService, type RotatableIssuer } from './authorities/authorities-start.ts'
import { toUpstreamFiles } from './authorities/authorities-upstream.ts'
import { writeOperatorCredentials } from './authorities/operator-credentials.ts'
import { keepSvid } from './authorities/own-svid.ts'
import { createTrustBundles, keepBundleFile } from './authorities/trust-bundles.ts'
import { openBundleEndpoint } from './federation/bundle-endpoint.ts'
import { startFederation, type Federation } from './federation/federation.ts'
import { startHealth, type Phase } from './health.ts'
import type { Issuer } from './issuer.ts'
import { createPolicies } from './policies.ts'
import { openRegistry } from './registration/registry.ts'
import { loadSealKey } from './seal-key.ts'
import type { ControlPlaneSettings } from './settings.ts'
import { readStatus, VERSION } from './status.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { createEndpointRegistry } from './sync/endpoints.ts'
import { createSyncResources } from './sync/sync-resources.ts'
import { createSyncHub } from './sync/sync.ts'

export interface ControlPlaneDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** A control plane that serves. It stops, draining, when its signal aborts or it is disposed of. */
export interface ControlPlane extends AsyncDisposable {
  readonly trustDomain: TrustDomain
  /** gRPC, as really bound. */
  readonly address: HostPort
  readonly healthAddress: HostPort
  /** Undefined when there is none. */
  readonly bundleEndpointAddress: HostPort | undefined
  /** Resolves when it has stopped; rejects when a part of it failed, after the rest has stopped. */
  readonly closed: Promise<void>
}

const PRUNE_EVERY_MS = 600_000
/** How long tokens and SVIDs that have ended are remembered, or as long as an expired SVID may be renewed. */
const REMEMBER_MS = 24 * 3_600_000

/**
 * Opens the data folder that `picket ca init` made and serves. Rejects with nothing changed when the sealing key, the
 * authority or the database cannot be used, or a port is taken.
 */
export async function startControlPlane(
  deps: ControlPlaneDeps,
  settings: ControlPlaneSettings,
  signal: AbortSignal,
): Promise<ControlPlane> {
  signal.throwIfAborted()
  await using opening = new AsyncDisposableStack()
  const { dataDir } = settings
  const sealKey = await loadSealKey(settings)
  const upstream = toUpstreamFiles(settings)
  const options = { sealKey, authorityTtlMs: settings.authorityTtl, ...(upstream && { upstream }) }
  const issuer = opening.use(await openAuthority(join(dataDir, 'ca'), options, deps))
  const store = opening.use(openSqliteStore(join(dataDir, 'picket.db'), deps.clock.now()))
  const tasks = opening.use(createTasks())
  const served = await serve(deps, settings, opening, { issuer, store, tasks })
  signal.throwIfAborted()
  return live(opening.move(), { ...served, trustDomain: issuer.trustDomain }, tasks, signal)
}

interface Foundations {
  readonly issuer: RotatableIssuer
  readonly store: Store
  readonly tasks: Tasks
}

type Served = Pick<ControlPlane, 'address' | 'healthAddress' | 'bundleEndpointAddress'>

/** Everything above authority and store, bottom up; disposal goes the other way. */
async function serve(
  deps: ControlPlaneDeps,
  settings: ControlPlaneSettings,
  opening: AsyncDisposableStack,
  { issuer, store, tasks }: Foundations,
): Promise<Served> {
  const { clock, logger } = deps
  const { dataDir, svidTtl, drainTimeout: drainTimeoutMs } = settings
  const metrics = createMetrics()
  let phase: Phase = 'starting'
  const own = { ...deps, issuer, tasks }
  const svid = await keepSvid(own, controlPlaneId(issuer.trustDomain), svidTtl)
  const operator = await keepSvid(own, operatorId(issuer.trustDomain), svidTtl)
  const expiry = metrics.gauge('picket_svid_not_after_timestamp_seconds', 'When the own SVID expires')
  metrics.onRender(() => expiry.set(svid.value.notAfter.getTime() / 1000))
  const authorities = await openAuthorityService({ ...own, store, metrics })
  const bundles = createTrustBundles(issuer.bundle, authorities.revocations.list)
  const { list: revocations } = authorities.revocations
  const foreign = { ...deps, metrics, store, own: issuer.bundle, revocations }
  const federation = opening.use(await startFederation(foreign, settings))
  const parts = { issuer, store, bundles, federation, settings, authorities, own: [svid, operator] }
  const handlers = await createHandlers(opening, { ...deps, metrics }, parts)

  const health = await startHealth({ clock, logger, metrics, svid, phase: () => phase }, settings.health)
  opening.use(health)
  const { trustDomain } = issuer
  const rpcDeps = { svid, bundles: bundles.source, clock, logger, metrics }
  const server = await startControlPlaneServer(
    rpcDeps,
    { address: settings.listen, trustDomain, drainTimeoutMs, keyExchange: settings.keyExchange },
    handlers,
  )
  opening.use(server)

  const endpoint = await openBundleEndpoint({ ...own, metrics, svid, bundle: issuer.bundle }, settings)
  if (endpoint) opening.use(endpoint)

  opening.use(await keepBundleFile(join(dataDir, 'trust-bundle.pem'), issuer.bundle, logger))
  const credentials = await writeOperatorCredentials(join(dataDir, 'operator'), issuer.bundle, operator, logger)
  opening.use(credentials)
  await credentials.setAddress(server.address)
  const rememberMs = Math.max(REMEMBER_MS, settings.renewAfterExpiry)
  tasks.start('prune', (stop) => pruneNowAndThen(store, clock, rememberMs, stop))
  opening.defer(() => void (phase = 'stopping'))
  phase = 'serving'
  server.setServing(true)
  const listen = formatHostPort(server.address)
  logger.info('control plane serves', { version: VERSION, trustDomain: trustDomain.name, listen, dataDir })
  return { address: server.address, healthAddress: health.address, bundleEndpointAddress: endpoint?.address }
}

/** The straight lines behind the calls. */
async function createHandlers(
  opening: AsyncDisposableStack,
  deps: ControlPlaneDeps & { readonly metrics: Metrics },
  parts: {
    readonly issuer: Issuer
    readonly store: Store
    readonly bundles: ReturnType<typeof createTrustBundles>
    readonly federation: Federation
    readonly authorities: AuthorityService
    readonly own: readonly Watch<X509Svid>[]
    readonly settings: ControlPlaneSettings
  },
): Promise<ControlPlaneHandlers> {
  const { issuer, store, bundles, federation, authorities, settings } = parts
  const startedAtMs = deps.clock.now()
  const common = { ...deps, store }
  const registry = await openRegistry(
    {
      ...common,
      issuer,
      trustDomain: issuer.trustDomain,
      bundles: () => bundles.source.value,
      trustBundle: () => bundles.resource.value.bytes.toString(),
    },
    settings,
    { svidTtlMs: settings.svidTtl, jwtSvidTtlMs: settings.jwtSvidTtl, jwtIssuer: settings.jwtIssuer?.url },
  )
  const { entries, tokens, enrollment, certificates } = registry
  const policies = await createPolicies(common)
  const endpoints = opening.use(await createEndpointRegistry(common))
  const sources = {
    trustBundle: bundles.resource,
    revocations: authorities.revocations.resource,
    federation: federation.bundles,
    svidAlgorithm: authorities.svidAlgorithm,
    endpoints: endpoints.resource,
    policy: policies.active,
  }
  const resources = createSyncResources(sources, deps.logger)
  const sync = opening.use(createSyncHub({ ...deps, enrollment, endpoints, resources }))
  const calls = opening.use(authorities.start({ sync, trustBundle: bundles.resource, own: parts.own }, settings))
  const connected = deps.metrics.gauge('picket_sidecars_connected', 'Sidecars with an open stream')
  deps.metrics.onRender(() => connected.set(sync.connected().length))
  const revocations = authorities.revocations.list
  const status = (): ReturnType<typeof readStatus> =>
    readStatus({ issuer, store, policies, sync, revocations, startedAtMs })
  return {
    attest: (request, caller) => certificates.attest(request, caller),
    issue: (request, caller) => certificates.issue(request, caller),
    challenge: async () => registry.challenge(),
    issueJwt: (request, caller) => certificates.issueJwt(request, caller),
    sync: (stream, caller) => sync.accept(stream, caller),
    admin: createAdmin({ entries, tokens, registry, policies, sync, status, logger: deps.logger }),
    authorities: calls.authorities,
    revocations: calls.revocations,
    federation: federation.handlers,
  }
}

async function pruneNowAndThen(store: Store, clock: Clock, rememberMs: number, signal: AbortSignal): Promise<void> {
  do await store.prune(clock.now() - rememberMs)
  while (await sleepUnlessAborted(clock, PRUNE_EVERY_MS, signal))
}

/** Ties a running control plane to what ends it: the signal, its disposal, a task that fails. */
function live(
  parts: AsyncDisposableStack,
  served: Served & Pick<ControlPlane, 'trustDomain'>,
  tasks: Tasks,
  signal: AbortSignal,
): ControlPlane {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  closed.catch(() => {}) // whoever disposes of it need not look at `closed` too
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= parts.disposeAsync())
  const onAbort = (): void => void stop().then(resolve, reject)
  signal.addEventListener('abort', onAbort, { once: true })
  tasks.failed.catch((thrown: unknown) => stop().then(() => reject(thrown), reject))
  return {
    ...served,
    closed,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', onAbort)
      await stop().then(resolve, reject)
      await stopping
    },
  }
}
