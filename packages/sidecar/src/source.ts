import { openAgent, type AgentOptions, type ControlPlaneSource } from '@picket/agent'
import type { SpiffeId } from '@picket/identity'
import { createPolicyStore } from '@picket/policy'
import { createWatch, type Clock, type Logger, type Metrics, type Random, type Tasks } from '@picket/runtime'
import type { FileSource } from './config.ts'
import { SidecarError } from './error.ts'
import { openFileInputs } from './file-inputs.ts'
import type { SidecarInputs } from './inputs.ts'
import { issueNoJwt, toSingleIdentity, type WorkloadSource } from './workload/workload-source.ts'

export interface SourceDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Where the inputs come from; the rest of the sidecar cannot tell which it is. */
export interface Source extends AsyncDisposable {
  readonly inputs: SidecarInputs
  /** What workloads of this host are given. */
  readonly workloads: WorkloadSource
  /** The service's name in policy input and records, unless the settings give one. */
  readonly service: () => string
  /** Keeps the inputs current, as long as `tasks` lasts. */
  start(tasks: Tasks, options: AgentOptions): void
}

/** Resolves with a first SVID in place. `signal` gives the start up; disposal ends the source. */
export function openSource(
  deps: SourceDeps,
  source: ControlPlaneSource | FileSource,
  signal: AbortSignal,
): Promise<Source> {
  return source.kind === 'files' ? openFiles(deps, source) : openControlPlane(deps, source, signal)
}

async function openFiles(deps: SourceDeps, source: FileSource): Promise<Source> {
  await using stack = new AsyncDisposableStack()
  const lifetime = new AbortController()
  stack.defer(() => lifetime.abort())
  const inputs = stack.use(await openFileInputs(deps, source, lifetime.signal))
  const { id } = inputs.svid.value
  if (source.trustDomain && source.trustDomain.name !== id.trustDomain.name) {
    const message = `svid ${source.svidFile} is ${id.uri}, which is not of trust domain ${source.trustDomain.name}`
    throw new SidecarError('ERR_INPUT_FILE', message)
  }
  const moved = stack.move()
  return {
    inputs,
    workloads: ownSvidOnly(inputs),
    service: () => lastSegment(inputs.svid.value.id),
    start: () => {},
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

async function openControlPlane(deps: SourceDeps, source: ControlPlaneSource, signal: AbortSignal): Promise<Source> {
  const policy = createPolicyStore()
  const agent = await openAgent({ ...deps, policy }, source, signal)
  const { svid, resources, identities } = agent
  const inputs = { svid, bundles: resources.bundles, policy, endpoints: resources.endpoints }
  return {
    inputs,
    workloads: {
      identities,
      bundles: resources.allBundles,
      crl: resources.crl,
      issueJwt: (id, audience, ending) => agent.issueJwt(id, audience, ending),
    },
    service: () => resources.serviceConfig.value?.service.name ?? lastSegment(svid.value.id),
    start: (tasks, options) => agent.start(tasks, options),
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  }
}

/** No further identities, no deny-list and no tokens: what there is without a control plane that pushes them. */
function ownSvidOnly({ svid, bundles }: SidecarInputs): WorkloadSource {
  return { identities: toSingleIdentity(svid), bundles, crl: createWatch(undefined), issueJwt: issueNoJwt }
}

function lastSegment({ path }: SpiffeId): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
