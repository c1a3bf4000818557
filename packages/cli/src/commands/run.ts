import { sidecarSettings, startSidecar, type Sidecar } from '@picket/sidecar'
import {
  environmentOf,
  formatHostPort,
  messageOf,
  type Clock,
  type HostPort,
  type Setting,
  type SettingsOf,
} from '@picket/runtime'
import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { daemonLogger, daemonSettings, loggingSettings } from '../daemon.ts'
import { CliError } from '../error.ts'
import { startApp, type AppProcess } from '../process-runner.ts'
import { examples } from '../program.ts'
import { addConfigFlags, addSettingsFlags } from '../settings-flags.ts'
import { listenForShutdown } from '../shutdown.ts'

/** A sidecar's settings; what shares its terminal with an app is quieter. */
const runSettings = {
  ...sidecarSettings,
  ...loggingSettings,
  accessLog: { ...sidecarSettings.accessLog, default: 'none' },
  logLevel: { ...loggingSettings.logLevel, default: 'warn' },
} as const

type RunSettings = SettingsOf<typeof runSettings>

/** How long an app whose sidecar has failed may take to end by itself. */
const APP_GRACE_MS = 10_000

export function configureRun(command: Command, context: CliContext): void {
  addConfigFlags(addSettingsFlags(command, runSettings))
    .usage('[OPTIONS] -- CMD [ARG…]')
    .argument('<CMD...>', 'the app; it finds the mesh at $PICKET_OUTBOUND and listens on $PICKET_APP')
    .action(async (cmd: [string, ...string[]], _options, self: Command) => {
      const settings = await daemonSettings(self, context, runSettings)
      if (settings) context.exitCode = await runBehindSidecar(cmd, settings, self, context)
    })
  examples(
    command,
    'picket run --control-plane 127.0.0.1:7400 --trust-domain bank.test --trust-bundle trust-bundle.pem \\\n' +
      '      --join-token-file token --app 127.0.0.1:8080 --advertise 127.0.0.1:0 -- node app.js',
    'picket run --config sidecar.yaml -- ./payments',
  )
}

/**
 * The sidecar first, the app when it is ready; then the app has the signals, and its exit code is ours. The sidecar
 * drains after the app has ended. Without a sidecar no app: an identity is not optional.
 */
async function runBehindSidecar(
  cmd: [string, ...string[]],
  settings: RunSettings,
  command: Command,
  context: CliContext,
): Promise<number> {
  const stop = new AbortController()
  const shutdown = listenForShutdown(context)
  shutdown.signal.addEventListener('abort', () => stop.abort(shutdown.signal.reason), { once: true })
  let sidecar: Sidecar
  try {
    const { clock, random } = context
    const logger = daemonLogger(settings.logLevel, command, context)
    sidecar = await startSidecar({ clock, random, logger }, settings, stop.signal)
    await sidecar.ready
  } catch (thrown) {
    if (shutdown.signal.aborted) return shutdown.exitCode
    throw thrown
  }
  await using _drained = sidecar
  const environment = appEnvironment(context.environment, settings, sidecar)
  const starting = startApp({ command: cmd, environment, onTerminal: process.stdin.isTTY }, context.signals)
  shutdown[Symbol.dispose]() // from here on the signals are the app's
  return await untilAppEnds(await starting, sidecar, context.clock)
}

/** The app's exit code. An app whose sidecar stops first is ended: nobody guards it any more. */
export async function untilAppEnds(app: AppProcess, sidecar: Pick<Sidecar, 'closed'>, clock: Clock): Promise<number> {
  const failed = sidecar.closed.then(
    () => new CliError('ERR_SIDECAR_STOPPED', 'the sidecar stopped while the app was running'),
    (cause: unknown) => new CliError('ERR_SIDECAR_STOPPED', `the sidecar failed: ${messageOf(cause)}`, { cause }),
  )
  const first = await Promise.race([app.exited, failed])
  if (typeof first === 'number') return first
  app.kill('SIGTERM')
  using _force = clock.after(APP_GRACE_MS, () => app.kill('SIGKILL'))
  await app.exited
  throw first
}

/** The app's environment: ours, without the secrets that only the sidecar needs, with the addresses that the app does. */
export function appEnvironment(
  own: CliContext['environment'],
  { app }: Pick<RunSettings, 'app'>,
  { addresses }: Pick<Sidecar, 'addresses'>,
): Record<string, string | undefined> {
  const environment = { ...own }
  for (const [key, setting] of Object.entries<Setting<unknown>>(runSettings)) {
    if (setting.secret) delete environment[environmentOf(key)]
  }
  const give = (name: string, address: HostPort | undefined): void => {
    if (address) environment[name] = formatHostPort(address)
  }
  give('PICKET_APP', app)
  give('PICKET_OUTBOUND', addresses.outboundListener)
  if (addresses.workloadApi !== undefined) environment['SPIFFE_ENDPOINT_SOCKET'] = `unix://${addresses.workloadApi}`
  for (const { route, address } of addresses.outbound) {
    const service = route.kind === 'service' ? route.service : (route.spiffeId.path.split('/').at(-1) ?? '')
    give(`PICKET_OUTBOUND_${service.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`, address)
  }
  return environment
}
