import { join } from 'node:path'
import { openAuthority } from '@picket/ca'
import type { KeyAlgorithm, TrustDomain } from '@picket/identity'
import {
  controlPlaneId,
  encodeRevocations,
  operatorId,
  RpcError,
  startControlPlaneServer,
  type ControlPlaneHandlers,
} from '@picket/rpc'
import {
  createMetrics,
  createTasks,
  createWatch,
  formatHostPort,
  sleepUnlessAborted,
  type Clock,
  type HostPort,
  type Logger,
  type Metrics,
  type Random,
  type Tasks,
} from '@picket/runtime'
import { createAdmin } from './admin.ts'
import { startBundleEndpoint } from './bundle-endpoint.ts'
import { createCertificates } from './certificates.ts'
import { createEndpointRegistry } from './endpoints.ts'
import { createEnrollment } from './enrollment.ts'
import { createEntries } from './entries.ts'
import { startFederation, type Federation } from './federation.ts'
import { startHealth, type Phase } from './health.ts'
import type { Issuer } from './issuer.ts'
import { createJoinTokens } from './join-tokens.ts'
import { writeOperatorCredentials } from './operator-credentials.ts'
import { keepSvid } from './own-svid.ts'
import { createPolicies } from './policies.ts'
import { createResource } from './revision.ts'
import { loadSealKey } from './seal-key.ts'
import type { ControlPlaneSettings } from './settings.ts'
import { readStatus, VERSION } from './status.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { createSyncHub } from './sync.ts'
import { createSyncResources } from './sync-resources.ts'
import { createTrustBundles, keepBundleFile } from './trust-bundles.ts'

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
/** How long tokens and SVIDs that have ended are remembered. */
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
  const issuer = opening.use(await openAuthority(join(dataDir, 'ca'), { sealKey }, deps))
  const store = opening.use(openSqliteStore(join(dataDir, 'picket.db'), deps.clock.now()))
  const tasks = opening.use(createTasks())
  const served = await serve(deps, settings, opening, { issuer, store, tasks })
  signal.throwIfAborted()
  return live(opening.move(), { ...served, trustDomain: issuer.trustDomain }, tasks, signal)
}

interface Foundations {
  readonly issuer: Issuer
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
  const bundles = createTrustBundles(issuer.bundle)
  const federation = opening.use(await startFederation({ ...deps, metrics, store, own: issuer.bundle }, settings))
  const parts = { issuer, store, bundles, federation, svidTtlMs: svidTtl }
  const handlers = await createHandlers(opening, { ...deps, metrics }, parts)

  const health = await startHealth({ clock, logger, metrics, svid, phase: () => phase }, settings.health)
  opening.use(health)
  const { trustDomain } = issuer
  const rpcDeps = { svid, bundles: bundles.source, clock, logger }
  const server = await startControlPlaneServer(
    rpcDeps,
    { address: settings.listen, trustDomain, drainTimeoutMs },
    handlers,
  )
  opening.use(server)

  const { bundleEndpoint: endpointAddress } = settings
  const endpointDeps = { ...own, metrics, svid, bundle: issuer.bundle }
  const endpoint = endpointAddress && opening.use(await startBundleEndpoint(endpointDeps, endpointAddress, settings))

  opening.use(await keepBundleFile(join(dataDir, 'trust-bundle.pem'), issuer.bundle, logger))
  const credentials = await writeOperatorCredentials(join(dataDir, 'operator'), issuer.bundle, operator, logger)
  opening.use(credentials)
  await credentials.setAddress(server.address)
  tasks.start('prune', (stop) => pruneNowAndThen(store, clock, stop))
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
    readonly svidTtlMs: number
  },
): Promise<ControlPlaneHandlers> {
  const { issuer, store, bundles, federation, svidTtlMs } = parts
  const startedAtMs = deps.clock.now()
  const common = { ...deps, store }
  const entries = createEntries(common, issuer.trustDomain)
  const tokens = createJoinTokens(common)
  const enrollment = createEnrollment({ ...common, tokens })
  const policies = await createPolicies(common)
  const endpoints = opening.use(await createEndpointRegistry(common))
  const sources = {
    trustBundle: bundles.resource,
    revocations: createWatch(createResource('revocations', encodeRevocations({ subjects: [], crl: undefined }))),
    federation: federation.bundles,
    svidAlgorithm: createWatch<KeyAlgorithm>('ec-p256'),
    endpoints: endpoints.resource,
    policy: policies.active,
  }
  const sync = opening.use(createSyncHub({ ...deps, enrollment, endpoints, resources: createSyncResources(sources) }))
  const connected = deps.metrics.gauge('picket_sidecars_connected', 'Sidecars with an open stream')
  deps.metrics.onRender(() => connected.set(sync.connected().length))
  const trustBundle = (): string => bundles.resource.value.bytes.toString()
  const certificates = createCertificates({ ...common, issuer, enrollment, trustBundle }, { svidTtlMs })
  const status = (): ReturnType<typeof readStatus> => readStatus({ issuer, store, policies, sync, startedAtMs })
  return {
    attest: (request, caller) => certificates.attest(request, caller),
    issue: (request, caller) => certificates.issue(request, caller),
    challenge: notYet,
    issueJwt: notYet,
    sync: (stream, caller) => sync.accept(stream, caller),
    admin: createAdmin({ entries, tokens, policies, sync, status, logger: deps.logger }),
    authorities: {
      getAuthorities: notYet,
      prepare: notYet,
      activate: notYet,
      taint: notYet,
      revoke: notYet,
      rotate: notYet,
    },
    revocations: { create: notYet, delete: notYet, list: notYet },
    federation: federation.handlers,
  }
}

const notYet = (): Promise<never> => Promise.reject(new RpcError('ERR_RPC_UNIMPLEMENTED', 'not yet'))

async function pruneNowAndThen(store: Store, clock: Clock, signal: AbortSignal): Promise<void> {
  do await store.prune(clock.now() - REMEMBER_MS)
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
