import type { X509Svid } from '@picket/identity'
import type { PolicyStore } from '@picket/policy'
import { connectControlPlane, type ControlPlaneClient, type Report } from '@picket/rpc'
import {
  codeOf,
  createWatch,
  formatHostPort,
  messageOf,
  type Clock,
  type HostPort,
  type Logger,
  type Metrics,
  type Random,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import { createControlPlaneIssuer, createJoinTokens, requestFirstSvid, type JoinTokens } from './attestation.ts'
import type { ControlPlaneSource } from './control-plane-source.ts'
import { openLastGoodFile } from './last-good.ts'
import { loadPinnedBundle } from './pinned-bundle.ts'
import { restore } from './restore.ts'
import { createResources, type Resources } from './resources.ts'
import { createSvidRotation, type SvidIssuer, type SvidRotation } from './svid-rotation.ts'
import { runSync } from './sync.ts'

export interface AgentDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly policy: PolicyStore
}

/** Identity and resources out of a control plane, kept current. */
export interface Agent extends AsyncDisposable {
  readonly svid: Watch<X509Svid>
  readonly resources: Resources
  /** Starts renewal and sync; both end with `tasks`. */
  start(tasks: Tasks, options: AgentOptions): void
}

export interface AgentOptions {
  /** Where other sidecars reach this one. */
  readonly advertise: HostPort | undefined
  readonly version: string
  /** The part of a report that the agent does not know itself. */
  readonly report: () => Pick<Report, 'ready' | 'notReadyReasons' | 'requestsAllowed' | 'requestsDenied'>
  readonly reportOn: readonly Watch<unknown>[]
}

/**
 * Brings a sidecar to its first SVID: from the sealed last-good state when that still holds one that is valid, else by
 * attestation, which waits for an absent control plane. Rejects with what `attestation.ts`, `seal-key.ts` and
 * `pinned-bundle.ts` throw.
 */
export async function openAgent(deps: AgentDeps, source: ControlPlaneSource, signal: AbortSignal): Promise<Agent> {
  await using opened = new AsyncDisposableStack()
  const { bundle, pin } = await loadPinnedBundle(source.trustBundleFile, source.trustDomain)
  const resources = createResources(deps.policy, bundle)
  const lastGood = source.state && opened.use(await openLastGoodFile(deps, source.state, source.trustDomain))
  const svid = createWatch(await restore(deps, resources, pin, await lastGood?.load()))
  const client = opened.use(
    connectControlPlane({ bundles: resources.bundles, svid, clock: deps.clock, logger: deps.logger }, source),
  )
  const joinTokens = createJoinTokens(source.joinToken, source.joinTokenFile)
  const issuer = createIssuer(deps, joinTokens, client, svid, resources)
  if (!svid.value) svid.set(await requestFirstSvid({ ...deps, issuer, bundles: resources.bundles }, signal))
  const save = (): void => {
    lastGood?.save(() => ({
      trustDomain: source.trustDomain.name,
      pin,
      svid: svid.value,
      resources: resources.held,
    }))
  }
  save()
  const held = toPresent(svid)
  const rotation = createSvidRotation({
    ...deps,
    issuer,
    bundles: resources.bundles,
    svid: held,
    replace(next) {
      svid.set(next)
      save()
    },
  })
  const disposal = opened.move()
  return {
    svid: held,
    resources,
    start: (tasks, options) =>
      startTasks(deps, tasks, { client, svid: held, resources, rotation, joinTokens, save }, options),
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  }
}

function createIssuer(
  { clock, logger }: AgentDeps,
  joinTokens: JoinTokens,
  client: ControlPlaneClient,
  svid: Watch<X509Svid | undefined>,
  resources: Resources,
): SvidIssuer {
  return createControlPlaneIssuer({
    client,
    svid,
    clock,
    joinTokens,
    async trustBundle(json) {
      try {
        await resources.accept({ kind: 'trust-bundle', revision: '', bytes: Buffer.from(json) })
      } catch (thrown) {
        logger.warn('trust bundle of the attestation refused, the one before stays', {
          code: codeOf(thrown),
          error: messageOf(thrown),
        })
      }
    },
  })
}

interface AgentParts {
  readonly client: ControlPlaneClient
  readonly svid: Watch<X509Svid>
  readonly resources: Resources
  readonly rotation: SvidRotation
  readonly joinTokens: JoinTokens
  readonly save: () => void
}

function startTasks(deps: AgentDeps, tasks: Tasks, parts: AgentParts, options: AgentOptions): void {
  const { client, svid, resources, rotation, joinTokens, save } = parts
  const instanceId = deps.random.uuid()
  const sync = {
    ...deps,
    client,
    credentials: [svid, resources.bundles],
    hello: () => ({
      kind: 'hello' as const,
      instanceId,
      version: options.version,
      advertise: options.advertise ? formatHostPort(options.advertise) : '',
      held: resources.revisions,
    }),
    report: () => ({
      kind: 'report' as const,
      svidSerial: svid.value.chain[0]?.serialNumber ?? '',
      svidNotAfterMs: svid.value.notAfter.getTime(),
      keyExchangeGroup: '',
      authorityKeyIds: authorityKeyIdsOf(svid.value),
      svidKeyAlgorithm: svid.value.chain[0]?.keyAlgorithm ?? '',
      svidRotations: rotation.rotations,
      ...options.report(),
    }),
    reportOn: [svid, ...options.reportOn],
    accept: async (resource: Parameters<Resources['accept']>[0]) => {
      await resources.accept(resource)
      save()
    },
    rotateNow: () => rotation.rotateNow(),
    denied: async () => {
      if (await joinTokens.isFresh()) rotation.rotateNow()
    },
  }
  tasks.start('svid rotation', (signal) => rotation.run(signal))
  tasks.start('sync', (signal) => runSync(sync, signal))
}

/** Who signed the leaf, as far as the leaf says. */
function authorityKeyIdsOf({ chain }: X509Svid): readonly string[] {
  const keyId = chain[0]?.authorityKeyId
  return keyId === undefined ? [] : [keyId]
}

/** The same watch, for those who come after the first SVID. */
function toPresent(svid: Watch<X509Svid | undefined>): Watch<X509Svid> {
  const present = svid.value
  if (!present) throw new TypeError('there is no svid yet')
  let newest = present
  return {
    get value() {
      newest = svid.value ?? newest
      return newest
    },
    subscribe: (listener) => svid.subscribe((next) => next && listener(next)),
  }
}
