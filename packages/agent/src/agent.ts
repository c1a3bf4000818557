import type { SpiffeId, X509Svid } from '@picket/identity'
import type { PolicyStore } from '@picket/policy'
import {
  connectControlPlane,
  type ControlPlaneClient,
  type IssueJwtResponse,
  type Report,
  type ResourceKindName,
} from '@picket/rpc'
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
import { createControlPlaneIssuer, requestFirstSvid, type ControlPlaneIssuerDeps } from './attestation.ts'
import type { ControlPlaneSource } from './control-plane-source.ts'
import { createEvidence, type Evidence } from './evidence.ts'
import { createIdentities, type Identities, type WorkloadIdentity } from './identities.ts'
import { createJoinTokens } from './join-token.ts'
import { openLastGoodFile } from './last-good.ts'
import { loadPinnedBundle } from './pinned-bundle.ts'
import { restore } from './restore.ts'
import { createResources, type Resources } from './resources.ts'
import type { SvidIssuer } from './svid-rotation.ts'
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
  /** Of the default identity. */
  readonly svid: Watch<X509Svid>
  /** The default one first. */
  readonly identities: Watch<readonly WorkloadIdentity[]>
  readonly resources: Resources
  /** A token for one of the identities. Rejects with an `RpcError`. */
  issueJwt(id: SpiffeId, audience: readonly string[], signal: AbortSignal): Promise<IssueJwtResponse>
  /** Starts renewal and sync; both end with `tasks`. */
  start(tasks: Tasks, options: AgentOptions): void
}

/** The part of a report that the agent does not know itself. */
export type OwnReport = Pick<Report, 'ready' | 'notReadyReasons' | 'requestsAllowed' | 'requestsDenied'> & {
  /** Of the newest connection to another sidecar; that of the connection to the control plane where there is none. */
  readonly keyExchangeGroup?: string | undefined
}

export interface AgentOptions {
  /** Where other sidecars reach this one. */
  readonly advertise: HostPort | undefined
  readonly version: string
  readonly report: () => OwnReport
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
  const restored = await restore(deps, resources, pin, await lastGood?.load())
  const svid = createWatch(restored.svid)
  const client = opened.use(
    connectControlPlane({ bundles: resources.bundles, svid, clock: deps.clock, logger: deps.logger }, source),
  )
  const stranger = opened.use(
    connectControlPlane({ bundles: resources.bundles, clock: deps.clock, logger: deps.logger }, source),
  )
  const evidence = createEvidence(stranger, source, createJoinTokens(source.joinToken, source.joinTokenFile))
  const issuer = createIssuer({ ...deps, client, stranger, svid, evidence, expired: restored.expired }, resources)
  if (!svid.value) svid.set(await requestFirstSvid({ ...deps, issuer, bundles: resources.bundles }, signal))
  stranger.release() // a connection without a certificate is for the first SVID, and for one after expiry
  const held = toPresent(svid)
  const save = (): void => {
    lastGood?.save(() => ({
      trustDomain: source.trustDomain.name,
      pin,
      svids: identities.svids,
      resources: resources.held,
    }))
  }
  const furtherIssuer: SvidIssuer = {
    issue: async (csr, ending) => (await client.issue({ csr }, { signal: ending })).svid.chain,
  }
  const { bundles, entitled } = resources
  const identities = createIdentities(
    { ...deps, issuer, furtherIssuer, bundles, entitled, changed: () => save() },
    { svid: held, further: restored.further },
  )
  save()
  const disposal = opened.move()
  return {
    svid: held,
    identities: identities.identities,
    resources,
    issueJwt: (id, audience, ending) => client.issueJwt({ spiffeId: id.uri, audience }, { signal: ending }),
    start: (tasks, options) => startTasks(deps, tasks, { client, resources, identities, evidence, save }, options),
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  }
}

function createIssuer(deps: Omit<ControlPlaneIssuerDeps, 'trustBundle'>, resources: Resources): SvidIssuer {
  return createControlPlaneIssuer({
    ...deps,
    async trustBundle(json) {
      try {
        await resources.accept({ kind: 'trust-bundle', revision: '', bytes: Buffer.from(json) })
      } catch (thrown) {
        deps.logger.warn('trust bundle of the attestation refused, the one before stays', {
          code: codeOf(thrown),
          error: messageOf(thrown),
        })
      }
    },
  })
}

interface AgentParts {
  readonly client: ControlPlaneClient
  readonly resources: Resources
  readonly identities: Identities
  readonly evidence: Evidence
  readonly save: () => void
}

/** An order to renew goes to many sidecars at once: they spread their requests over this time. */
const ORDER_SPREAD_MS = 250

function startTasks(deps: AgentDeps, tasks: Tasks, parts: AgentParts, options: AgentOptions): void {
  const { client, resources, identities, evidence, save } = parts
  const instanceId = deps.random.uuid()
  const sync = {
    ...deps,
    client,
    credentials: [identities.svid],
    hello: () => ({
      kind: 'hello' as const,
      instanceId,
      version: options.version,
      advertise: options.advertise ? formatHostPort(options.advertise) : '',
      held: resources.revisions,
    }),
    baseOf(kind: ResourceKindName, revision: string) {
      const held = resources.held[kind]
      return held?.revision === revision ? held.bytes : undefined
    },
    report: () => toReport(parts, options.report()),
    reportOn: [identities.svid, identities.identities, ...options.reportOn],
    accept: async (resource: Parameters<Resources['accept']>[0]) => {
      await resources.accept(resource)
      save()
    },
    rotateNow: () => identities.rotateNow(ORDER_SPREAD_MS),
    denied: async () => {
      identities.withdraw()
      resources.askAgain('identities')
      if (await evidence.isFresh()) identities.rotateNow(0)
    },
  }
  tasks.start('svid rotation', (signal) => identities.run(signal))
  tasks.start('sync', (signal) => runSync(sync, signal))
}

function toReport({ client, identities }: AgentParts, own: OwnReport): Report {
  const [leaf] = identities.svid.value.chain
  return {
    kind: 'report',
    svidSerial: leaf?.serialNumber ?? '',
    svidNotAfterMs: identities.svid.value.notAfter.getTime(),
    authorityKeyIds: authorityKeyIdsOf(identities.svids),
    svidKeyAlgorithm: leaf?.keyAlgorithm ?? '',
    svidRotations: identities.rotations,
    ...own,
    keyExchangeGroup: own.keyExchangeGroup ?? client.keyExchangeGroup ?? '',
  }
}

/** Who signed, as far as the leaves say. */
function authorityKeyIdsOf(svids: readonly X509Svid[]): readonly string[] {
  return [
    ...new Set(svids.flatMap(({ chain }) => chain.slice(0, 1).flatMap(({ authorityKeyId }) => authorityKeyId ?? []))),
  ]
}

/** The same watch, for those who come after the first SVID. */
function toPresent(svid: ReturnType<typeof createWatch<X509Svid | undefined>>): Identities['svid'] & {
  set(next: X509Svid): void
} {
  const present = svid.value
  if (!present) throw new TypeError('there is no svid yet')
  let newest = present
  return {
    get value() {
      newest = svid.value ?? newest
      return newest
    },
    set: (next) => svid.set(next),
    subscribe: (listener) => svid.subscribe((next) => next && listener(next)),
  }
}
