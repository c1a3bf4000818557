import { sidecarSettings, startSidecar } from '@picket/sidecar'
import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { daemonLogger, daemonSettings, loggingSettings, serve } from '../daemon.ts'
import { examples } from '../program.ts'
import { addConfigFlags, addSettingsFlags } from '../settings-flags.ts'

const sidecarCommandSettings = { ...sidecarSettings, ...loggingSettings } as const

export function configureSidecar(command: Command, context: CliContext): void {
  addConfigFlags(addSettingsFlags(command, sidecarCommandSettings)).action(async (_options, self: Command) => {
    const settings = await daemonSettings(self, context, sidecarCommandSettings)
    if (!settings) return
    const { clock, random } = context
    const logger = daemonLogger(settings.logLevel, self, context)
    await serve(context, (signal) => startSidecar({ clock, random, logger }, settings, signal))
  })
  examples(
    command,
    'picket sidecar --control-plane 127.0.0.1:7400 --trust-domain bank.test --trust-bundle trust-bundle.pem \\\n' +
      '      --join-token-file token --app 127.0.0.1:8080 --advertise 127.0.0.1:0',
    'picket sidecar --svid svid.pem --key key.pem --trust-bundle bundle.pem --policy authz.bundle.tar.gz \\\n' +
      '      --inbound 127.0.0.1:7443 --app 127.0.0.1:8080',
    'picket sidecar --config sidecar.yaml --print-config',
  )
}
