import { controlPlaneSettings, startControlPlane } from '@picket/control-plane'
import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { daemonLogger, daemonSettings, loggingSettings, serve } from '../daemon.ts'
import { examples } from '../program.ts'
import { loadAuthorities } from './ca.ts'
import { addConfigFlags, addSettingsFlags } from '../settings-flags.ts'

const controlPlaneCommandSettings = { ...controlPlaneSettings, ...loggingSettings } as const

export function configureControlPlane(command: Command, context: CliContext): void {
  addConfigFlags(addSettingsFlags(command, controlPlaneCommandSettings)).action(async (_options, self: Command) => {
    const settings = await daemonSettings(self, context, controlPlaneCommandSettings)
    if (!settings) return
    await loadAuthorities(settings.dataDir)
    const { clock, random } = context
    const logger = daemonLogger(settings.logLevel, self, context)
    await serve(context, (signal) => startControlPlane({ clock, random, logger }, settings, signal))
  })
  examples(
    command,
    'picket control-plane',
    'picket control-plane --data-dir /var/lib/picket --listen 10.0.0.5:7400',
    'picket control-plane --config control-plane.yaml --print-config',
  )
}
