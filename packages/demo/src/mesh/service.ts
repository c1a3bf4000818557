import { createServer, type RequestListener, type Server } from 'node:http'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { formatHostPort, writeFileAtomic, type HostPort } from '@picket/runtime'
import { readAccessLog, type AccessRecord } from './access-records.ts'
import { createMeshClient, type MeshClient } from './client.ts'
import { startDaemon, startProcess, type MeshProcess } from './process.ts'

/** What stands behind a sidecar: a process, a handler in this process, something already listening, or nothing. */
export type AppOptions =
  | { readonly command: readonly string[]; readonly env?: Readonly<Record<string, string>> }
  | { readonly handler: RequestListener }
  | { readonly address: HostPort }
  | { readonly callerOnly: true }

export interface MeshService extends AsyncDisposable {
  readonly name: string
  readonly app: HostPort
  readonly inbound: HostPort
  readonly outbound: HostPort
  readonly admin: HostPort
  readonly accessLogFile: string
  /** Used up by the first attestation; kept to show that. */
  readonly joinToken: string
  readonly sidecar: MeshProcess
  /** Calls other services as this one, through its sidecar. */
  readonly client: MeshClient
  /** Calls this service's app directly, as somebody outside the mesh would. */
  readonly appClient: MeshClient
  accessLog(): Promise<AccessRecord[]>
  /** SIGTERM, then a new sidecar on the same addresses; resolves when it is ready. */
  restartSidecar(): Promise<void>
  /** Starts the sidecar again after `sidecar.kill()` or `stop()`. */
  startSidecar(): Promise<void>
  /** The app alone, its sidecar stays. */
  stopApp(): Promise<void>
  startApp(): Promise<void>
}

export interface ServicePlan {
  readonly name: string
  readonly app: AppOptions
  readonly directory: string
  readonly picket: readonly string[]
  readonly addresses: readonly [app: HostPort, inbound: HostPort, outbound: HostPort, admin: HostPort]
  readonly controlPlane: HostPort
  readonly trustDomain: string
  readonly trustBundle: string
  readonly joinToken: string
  readonly sidecarFlags: readonly string[]
}

/** Starts the app and its sidecar; resolves when the sidecar is ready to serve. */
export async function startService(plan: ServicePlan): Promise<MeshService> {
  const [appAddress, inbound, outbound, admin] = plan.addresses
  const directory = join(plan.directory, plan.name)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const tokenFile = join(directory, 'join-token')
  await writeFileAtomic(tokenFile, plan.joinToken, 0o600)
  await using stack = new AsyncDisposableStack()
  const app = 'address' in plan.app ? plan.app.address : appAddress
  const ownApp = createApp(plan, app, outbound, directory)
  await ownApp.start()
  stack.defer(() => ownApp.stop())

  const logFile = join(directory, 'sidecar.log')
  const accessLogFile = join(directory, 'access.log')
  const command = [...plan.picket, 'sidecar', ...sidecarFlags(plan, directory, tokenFile, accessLogFile, app)]
  const startSidecar = (): Promise<MeshProcess> =>
    startDaemon({ name: `${plan.name}'s sidecar`, command, logFile }, admin)
  let sidecar = await startSidecar()
  stack.defer(() => sidecar.stop())
  const client = stack.use(createMeshClient(outbound))
  const appClient = stack.use(createMeshClient(app, true))

  async function start(): Promise<void> {
    sidecar = await startSidecar()
  }
  const owned = stack.move()
  return {
    name: plan.name,
    app,
    inbound,
    outbound,
    admin,
    accessLogFile,
    client,
    appClient,
    joinToken: plan.joinToken,
    get sidecar() {
      return sidecar
    },
    accessLog: () => readAccessLog(accessLogFile),
    startSidecar: start,
    startApp: () => ownApp.start(),
    stopApp: () => ownApp.stop(),
    async restartSidecar() {
      await sidecar.stop()
      await start()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function sidecarFlags(
  plan: ServicePlan,
  directory: string,
  tokenFile: string,
  accessLog: string,
  app: HostPort,
): string[] {
  const [, inbound, outbound, admin] = plan.addresses
  const flags = {
    'control-plane': formatHostPort(plan.controlPlane),
    'trust-domain': plan.trustDomain,
    'trust-bundle': plan.trustBundle,
    'join-token-file': tokenFile,
    'state-dir': join(directory, 'state'),
    'outbound-listener': formatHostPort(outbound),
    admin: formatHostPort(admin),
    'access-log': accessLog,
    ...(!('callerOnly' in plan.app) && {
      inbound: formatHostPort(inbound),
      advertise: formatHostPort(inbound),
      app: formatHostPort(app),
    }),
  }
  return [...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]), ...plan.sidecarFlags]
}

interface App {
  start(): Promise<void>
  stop(): Promise<void>
}

function createApp({ name, app: options }: ServicePlan, app: HostPort, outbound: HostPort, directory: string): App {
  if ('command' in options) {
    const env = { ...options.env, APP_ADDRESS: formatHostPort(app), PICKET_OUTBOUND: formatHostPort(outbound) }
    const logFile = join(directory, 'app.log')
    let process: MeshProcess | undefined
    return {
      start: async () => void (process = startProcess({ name, command: options.command, env, logFile })),
      stop: async () => process?.stop(),
    }
  }
  if ('handler' in options) {
    const server = createServer(options.handler)
    server.keepAliveTimeout = 65_000
    return {
      start: () => new Promise<void>((resolve) => server.listen(app.port, app.host, resolve)),
      stop: () => closeServer(server),
    }
  }
  return { start: async () => {}, stop: async () => {} }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
