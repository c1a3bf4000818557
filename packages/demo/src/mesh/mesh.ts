import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatHostPort, generateSealKeyText, systemClock, writeFileAtomic, type HostPort } from '@picket/runtime'
import { connectOperator, type Operator } from './operator.ts'
import { freeAddresses } from './ports.ts'
import { startDaemon, type MeshProcess } from './process.ts'
import { startService, type AppOptions, type MeshService, type ServicePlan } from './service.ts'

/**
 * A whole mesh of real processes on free loopback ports, for demos and integration tests: a CA, a control plane, and a
 * sidecar before each service that the caller names. Disposing it ends every process and removes its folder.
 */
export interface MeshOptions {
  /** Service name → what stands behind its sidecar. Each gets the SPIFFE ID `spiffe://TRUST_DOMAIN/NAME`. */
  readonly services: Readonly<Record<string, AppOptions>>
  /** A policy bundle file (`picket policy build` makes one). */
  readonly policy: string
  readonly trustDomain?: string
  /** Flags for every sidecar or for the control plane, such as `['--svid-ttl', '20s']`. */
  readonly sidecarFlags?: readonly string[]
  readonly controlPlaneFlags?: readonly string[]
  readonly onProgress?: (line: string) => void
}

export interface Mesh extends AsyncDisposable {
  readonly directory: string
  readonly trustDomain: string
  readonly operator: Operator
  readonly controlPlane: MeshProcess
  readonly controlPlaneAddress: HostPort
  service(name: string): MeshService
  readonly services: readonly MeshService[]
  /** Runs the `picket` command against this mesh, as an operator would type it. */
  picket(...args: string[]): Promise<CommandResult>
  /** Pushes a bundle and waits until every ready sidecar has acknowledged it; gives its revision. */
  pushPolicy(bundleFile: string): Promise<string>
  /** Tells one service's sidecar to renew, and waits until it reports another serial number. */
  rotate(name: string): Promise<void>
  /** Deletes the registration entry: no SVID is issued for this identity any more. */
  withdraw(name: string): Promise<void>
  /** Starts the control plane again after `controlPlane.kill()`. */
  startControlPlane(): Promise<void>
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const picketCommand = [process.execPath, fileURLToPath(new URL('../../../cli/bin/picket.js', import.meta.url))] as const

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { services, trustDomain = 'bank.test', onProgress = () => {} } = options
  const directory = await mkdtemp(join(tmpdir(), 'picket-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const names = Object.keys(services)
  // All at once: two calls could be given the same port, since none of them is held until its process starts.
  const [listen, health, ...others] = (await freeAddresses(2 + 4 * names.length)) as [HostPort, HostPort, ...HostPort[]]

  onProgress(`certificate authority of ${trustDomain}`)
  const plan: ControlPlanePlan = { directory, dataDir: join(directory, 'control-plane'), listen, health }
  const sealKeyFile = join(directory, 'seal.key')
  await writeFileAtomic(sealKeyFile, generateSealKeyText(), 0o600)
  const shared = ['--data-dir', plan.dataDir, '--seal-key-file', sealKeyFile]
  await mustSucceed(runPicket(['ca', 'init', '--trust-domain', trustDomain, ...shared]))

  onProgress(`control plane on ${formatHostPort(listen)}`)
  const controlPlane = await startControlPlane(plan, [...shared, ...(options.controlPlaneFlags ?? [])])
  stack.defer(() => controlPlane.process.stop())
  const operator = stack.use(await connectOperator({ dataDir: plan.dataDir, address: listen, trustDomain }))
  await operator.pushPolicy(options.policy)

  onProgress(`sidecars for ${names.join(', ')}`)
  const outcomes = await Promise.allSettled(Object.entries(services).map(enroll))
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [stack.use(outcome.value)] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
  await waitForEndpoints(operator, started.length)

  async function enroll([name, app]: [string, AppOptions], index: number): Promise<MeshService> {
    await operator.createEntry(name)
    const joinToken = await operator.createToken(name)
    return startService({
      name,
      app,
      directory,
      trustDomain,
      joinToken,
      picket: picketCommand,
      addresses: others.slice(4 * index, 4 * index + 4) as unknown as ServicePlan['addresses'],
      controlPlane: listen,
      trustBundle: join(plan.dataDir, 'trust-bundle.pem'),
      sidecarFlags: options.sidecarFlags ?? [],
    })
  }

  const owned = stack.move()
  return {
    directory,
    trustDomain,
    operator,
    controlPlaneAddress: listen,
    services: started,
    get controlPlane() {
      return controlPlane.process
    },
    service(name) {
      const found = started.find((service) => service.name === name)
      if (!found) throw new Error(`no service "${name}" in this mesh: it has ${names.join(', ')}`)
      return found
    },
    picket: (...args) => runPicket([...args, '--data-dir', plan.dataDir]),
    pushPolicy: (file) => operator.pushPolicy(file, started.length),
    rotate: (name) => operator.rotate(name),
    withdraw: (name) => operator.deleteEntry(name),
    startControlPlane: () => controlPlane.start(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface ControlPlanePlan {
  readonly directory: string
  readonly dataDir: string
  readonly listen: HostPort
  readonly health: HostPort
}

/** The running process, and the way to start it again after it was killed. */
interface RunningControlPlane {
  readonly process: MeshProcess
  start(): Promise<void>
}

async function startControlPlane(
  { directory, listen, health }: ControlPlanePlan,
  flags: readonly string[],
): Promise<RunningControlPlane> {
  const logFile = join(directory, 'control-plane.log')
  const addresses = ['--listen', formatHostPort(listen), '--health', formatHostPort(health)]
  const command = [...picketCommand, 'control-plane', ...addresses, ...flags]
  const start = (): Promise<MeshProcess> => startDaemon({ name: 'control plane', command, logFile }, health)
  let running = await start()
  return {
    get process() {
      return running
    },
    start: async () => void (running = await start()),
  }
}

/** Every sidecar knows of every other when all have acknowledged the newest endpoints. */
async function waitForEndpoints(operator: Operator, count: number): Promise<void> {
  await operator.until('endpoints are known everywhere', ({ sidecars }) => {
    const current = sidecars.filter(({ resources }) =>
      resources.some((r) => r.kind === 'endpoints' && r.ackedRevision === r.sentRevision && r.sentRevision !== ''),
    )
    const revisions = new Set(
      current.flatMap(({ resources }) => resources.filter((r) => r.kind === 'endpoints').map((r) => r.sentRevision)),
    )
    return current.length >= count && revisions.size <= 1
  })
}

/** Ends the command when it takes longer than `limitMs`. */
export function runPicket(args: readonly string[], limitMs = 60_000): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(picketCommand[0], [...picketCommand.slice(1), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    const limit = systemClock.after(limitMs, () => void child.kill('SIGKILL'))
    child.once('error', reject)
    child.once('close', (code) => {
      limit[Symbol.dispose]()
      resolve({ code: code ?? -1, stdout, stderr })
    })
  })
}

async function mustSucceed(running: Promise<CommandResult>): Promise<void> {
  const { code, stderr } = await running
  if (code !== 0) throw new Error(`picket ended with ${code}: ${stderr.trim()}`)
}
