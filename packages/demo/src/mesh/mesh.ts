import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatHostPort, generateSealKeyText, systemClock, writeFileAtomic, type HostPort } from '@picket/runtime'
import { connectOperator, type Operator } from './operator.ts'
import { freeAddresses } from './ports.ts'
import { startProcess, waitUntilReady, type MeshProcess } from './process.ts'
import { startService, type AppOptions, type MeshService } from './service.ts'

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

const main = fileURLToPath(new URL('../../../cli/bin/picket.js', import.meta.url))
const picketCommand = [process.execPath, main] as const

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { services, policy, trustDomain = 'bank.test', onProgress = () => {} } = options
  const directory = await mkdtemp(join(tmpdir(), 'picket-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const dataDir = join(directory, 'control-plane')
  const [listen, health] = (await freeAddresses(2)) as [HostPort, HostPort]
  const sealKeyFile = join(directory, 'seal.key')
  await writeFileAtomic(sealKeyFile, generateSealKeyText(), 0o600)

  onProgress(`certificate authority of ${trustDomain}`)
  await mustSucceed(
    runPicket(['ca', 'init', '--trust-domain', trustDomain, '--data-dir', dataDir, '--seal-key-file', sealKeyFile]),
  )

  const logFile = join(directory, 'control-plane.log')
  const command = [
    ...[...picketCommand, 'control-plane', '--data-dir', dataDir, '--seal-key-file', sealKeyFile],
    ...['--listen', formatHostPort(listen), '--health', formatHostPort(health), ...(options.controlPlaneFlags ?? [])],
  ]
  let controlPlane = startProcess({ name: 'control plane', command, logFile })
  stack.defer(() => controlPlane.stop())
  onProgress(`control plane on ${formatHostPort(listen)}`)
  await waitUntilReady(controlPlane, health, logFile)
  const operator = stack.use(await connectOperator({ dataDir, address: listen, trustDomain }))
  await operator.pushPolicy(policy)

  onProgress(`sidecars for ${Object.keys(services).join(', ')}`)
  const started = await Promise.all(Object.entries(services).map(([name, app]) => enroll(name, app)))
  for (const service of started) stack.use(service)
  await waitForEndpoints(operator, started.length)

  async function enroll(name: string, app: AppOptions): Promise<MeshService> {
    await operator.createEntry(name)
    return startService({
      ...{ name, app, directory, trustDomain, picket: picketCommand, controlPlane: listen },
      addresses: (await freeAddresses(4)) as [HostPort, HostPort, HostPort, HostPort],
      trustBundle: join(dataDir, 'trust-bundle.pem'),
      joinToken: await operator.createToken(name),
      sidecarFlags: options.sidecarFlags ?? [],
    })
  }

  const owned = stack.move()
  return {
    ...{ directory, trustDomain, operator, controlPlaneAddress: listen, services: started },
    get controlPlane() {
      return controlPlane
    },
    service(name) {
      const found = started.find((service) => service.name === name)
      if (!found) throw new Error(`no service "${name}" in this mesh: it has ${started.map((s) => s.name).join(', ')}`)
      return found
    },
    picket: (...args) => runPicket([...args, '--data-dir', dataDir]),
    pushPolicy: (file) => operator.pushPolicy(file, started.length),
    rotate: (name) => operator.rotate(name),
    withdraw: (name) => operator.deleteEntry(name),
    async startControlPlane() {
      controlPlane = startProcess({ name: 'control plane', command, logFile })
      await waitUntilReady(controlPlane, health, logFile)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
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
    return current.length >= count && revisions.size === 1
  })
}

export function runPicket(args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(picketCommand[0], [...picketCommand.slice(1), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    const limit = systemClock.after(60_000, () => void child.kill('SIGKILL'))
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
