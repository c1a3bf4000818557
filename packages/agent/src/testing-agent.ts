import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeTrustBundle, encodeTrustBundlePem, parseSpiffeId } from '@picket/identity'
import type { PolicyEngine, PolicyStore } from '@picket/policy'
import { encodeEndpoints, encodeServiceConfig, RpcError } from '@picket/rpc'
import { createMetrics, createTasks, createWatch, Secret, systemClock, systemRandom, type Tasks } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import { openAgent, type Agent } from './agent.ts'
import type { ControlPlaneSource } from './control-plane-source.ts'
import { eventually, startTestControlPlane, type TestControlPlane } from './testing.ts'

/** A policy store that takes every bundle but the one that says `bad`. */
function createFakePolicyStore(): PolicyStore {
  const engine = createWatch<PolicyEngine | undefined>(undefined)
  return {
    engine,
    activate(bytes) {
      if (Buffer.from(bytes).toString() === 'bad')
        return Promise.reject(new RpcError('ERR_RPC_INVALID', 'not a bundle'))
      engine.set({ revision: Buffer.from(bytes).toString() } as PolicyEngine)
      return Promise.resolve(engine.value as PolicyEngine)
    },
  }
}

/** An agent's world: a control plane, and a folder of its own. */
export async function setUpAgent() {
  const stack = new AsyncDisposableStack()
  const plane = stack.use(await startTestControlPlane())
  const dir = await mkdtemp(join(tmpdir(), 'picket-agent-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const trustBundleFile = join(dir, 'bundle.pem')
  await writeFile(trustBundleFile, encodeTrustBundlePem(plane.authority.bundle))
  const source: ControlPlaneSource = {
    kind: 'control-plane',
    address: plane.address,
    trustDomain: plane.authority.trustDomain,
    trustBundleFile,
    joinToken: new Secret('token-1'),
    joinTokenFile: undefined,
    state: { dir: join(dir, 'state'), sealKey: undefined, sealKeyFile: undefined },
    advertise: undefined,
  }
  return {
    plane,
    dir,
    source,
    trustBundleFile,
    /** What it starts ends with the test at the latest, also when the start should have failed. */
    run: async (given: ControlPlaneSource, signal?: AbortSignal) => stack.use(await runAgent(given, signal)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** An agent as a sidecar runs it; disposing it is a restart's first half. */
async function runAgent(source: ControlPlaneSource, signal = AbortSignal.timeout(10_000)) {
  const logger = createRecordingLogger()
  const policy = createFakePolicyStore()
  const deps = { clock: systemClock, random: systemRandom, logger, metrics: createMetrics(), policy }
  const stack = new AsyncDisposableStack()
  const agent: Agent = stack.use(await openAgent(deps, source, signal))
  const tasks: Tasks = stack.use(createTasks())
  const readiness = createWatch<readonly string[]>([])
  agent.start(tasks, {
    advertise: { host: '127.0.0.1', port: 7443 },
    version: '0.1.0',
    report: () => ({ ready: true, notReadyReasons: readiness.value, requestsAllowed: 1, requestsDenied: 2 }),
    reportOn: [readiness],
  })
  const logged = (message: string): boolean => logger.entries.some((entry) => entry.message === message)
  return { agent, policy, logged, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const LEDGER = {
  name: 'ledger',
  spiffeId: parseSpiffeId('spiffe://bank.test/ledger'),
  addresses: [{ host: '127.0.0.1', port: 7443 }],
}
const ENDPOINTS = { services: [LEDGER] }

export async function pushAll(plane: TestControlPlane): Promise<void> {
  const stream = await eventually('a stream', () => plane.streams.at(-1))
  stream.push('trust-bundle', 't1', encodeTrustBundle(plane.authority.bundle))
  stream.push('policy-bundle', 'p1', 'p1')
  stream.push('endpoints', 'e1', encodeEndpoints(ENDPOINTS))
  stream.push('service-config', 's1', encodeServiceConfig({ service: { name: 'payments' } }))
  await eventually('four acks', () => stream.messages.filter(({ kind }) => kind === 'ack').length === 4)
}
