/** A thousand sidecars' agents in one process: everything of a sidecar but its data path. Run by `fleet.ts`. */
import { openAgent, type Agent } from '@picket/agent'
import { parseTrustDomain } from '@picket/identity'
import type { PolicyEngine, PolicyStore } from '@picket/policy'
import {
  createMetrics,
  createTasks,
  createWatch,
  messageOf,
  Secret,
  silentLogger,
  systemClock,
  systemRandom,
} from '@picket/runtime'
import type { FleetPlan, FromFleet, ToFleet } from './fleet-messages.ts'
import { startTraffic, type Traffic } from './fleet-traffic.ts'

const ENROLLED_AT_ONCE = 32
const PATIENCE_MS = 60_000

/** Policies are acknowledged and not loaded: engines belong to the data path, whose costs the other tables show. */
const NO_DATA_PATH: PolicyStore = {
  engine: createWatch<PolicyEngine | undefined>(undefined),
  activate: async () => undefined as unknown as PolicyEngine,
}

const stack = new AsyncDisposableStack()
const tasks = stack.use(createTasks())
const agents: Agent[] = []
let traffic: Traffic | undefined

const answers: { readonly [K in ToFleet['kind']]: (message: Extract<ToFleet, { kind: K }>) => Promise<void> } = {
  async start({ plan }) {
    const left = [...plan.joinTokens]
    const enrollNext = async (): Promise<void> => {
      for (let token = left.pop(); token !== undefined; token = left.pop()) agents.push(await enroll(plan, token))
    }
    await Promise.all(Array.from({ length: ENROLLED_AT_ONCE }, enrollNext))
    tell({ kind: 'started', sidecars: agents.length, residentBytes: process.memoryUsage().rss })
  },
  async expect({ spiffeId, count }) {
    const atMs = await arrivalsOf(spiffeId, count)
    tell({ kind: 'arrived', atMs, missing: count - atMs.length })
  },
  async 'start-traffic'() {
    traffic = await startTraffic(agents)
  },
  async 'stop-traffic'() {
    await traffic?.[Symbol.asyncDispose]()
    tell({ kind: 'traffic', requests: traffic?.requests ?? 0, failures: traffic?.failures ?? {} })
  },
  async stop() {
    await traffic?.[Symbol.asyncDispose]()
    await stack.disposeAsync()
    process.disconnect()
  },
}

process.on('message', (message: ToFleet) => {
  const answer = answers[message.kind] as (message: ToFleet) => Promise<void>
  answer(message).catch((thrown: unknown) => tell({ kind: 'failed', error: messageOf(thrown) }))
})
process.on('disconnect', () => process.exit())

async function enroll(plan: FleetPlan, token: string): Promise<Agent> {
  const deps = {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    metrics: createMetrics(),
    policy: NO_DATA_PATH,
  }
  const source = {
    kind: 'control-plane' as const,
    address: plan.address,
    trustDomain: parseTrustDomain(plan.trustDomain),
    trustBundleFile: plan.trustBundleFile,
    joinToken: new Secret(token),
    joinTokenFile: undefined,
    state: undefined,
    advertise: undefined,
  }
  const agent = stack.use(await openAgent(deps, source, AbortSignal.timeout(PATIENCE_MS)))
  agent.start(tasks, {
    advertise: undefined,
    version: 'bench',
    report: () => ({ ready: true, notReadyReasons: [], requestsAllowed: 0, requestsDenied: 0 }),
    reportOn: [],
  })
  return agent
}

/** When each came to hold it; those that have not after `PATIENCE_MS` are missing. */
function arrivalsOf(spiffeId: string, count: number): Promise<number[]> {
  const { promise, resolve } = Promise.withResolvers<number[]>()
  const atMs: number[] = []
  const waiting = new DisposableStack()
  waiting.use(systemClock.after(PATIENCE_MS, () => resolve(atMs)))
  for (const agent of agents) {
    const subscription = waiting.use(
      agent.identities.subscribe((identities) => {
        if (!identities.some(({ svid }) => svid.id.uri === spiffeId)) return
        subscription[Symbol.dispose]()
        atMs.push(systemClock.now())
        if (atMs.length === count) resolve(atMs)
      }),
    )
  }
  return promise.finally(() => waiting.dispose())
}

function tell(message: FromFleet): void {
  process.send?.(message)
}
