import { parseDuration, parseHostPort, parseSealKey, type SettingsOf, type SettingsTable } from '@picket/runtime'
import { authoritySettings } from './authorities/authorities-settings.ts'
import { attestorSettings } from './attestors/attestor-settings.ts'
import { federationSettings } from './federation/federation-settings.ts'

/** Everything that can be said to a control plane: flags, environment, file keys, defaults and documentation in one table. */
export const controlPlaneSettings = {
  dataDir: {
    parse: parsePath,
    default: 'picket-data',
    placeholder: 'DIR',
    doc: 'folder that "picket ca init" made: authority, database, operator credentials',
  },
  sealKey: {
    parse: parseSealKey,
    optional: true,
    secret: true,
    placeholder: 'KEY',
    doc: 'sealing key of the authority: 64 hex digits or base64',
  },
  sealKeyFile: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'file with the sealing key; default DATA_DIR/seal.key',
  },
  listen: {
    parse: parseHostPort,
    default: '127.0.0.1:7400',
    placeholder: 'HOST:PORT',
    doc: 'gRPC over mutual TLS, for sidecars and operators',
  },
  health: {
    parse: parseHostPort,
    default: '127.0.0.1:7402',
    placeholder: 'HOST:PORT',
    doc: 'loopback listener of /live /ready /metrics',
  },
  svidTtl: {
    parse: parseTtl,
    default: '1h',
    placeholder: 'DURATION',
    doc: 'life of an SVID whose entry does not say otherwise',
  },
  jwtSvidTtl: {
    parse: parseJwtTtl,
    default: '5m',
    placeholder: 'DURATION',
    doc: 'life of a JWT-SVID, at most 1h',
  },
  drainTimeout: {
    parse: parseDuration,
    default: '10s',
    placeholder: 'DURATION',
    doc: 'how long calls in flight may take to finish at shutdown',
  },
  ...authoritySettings,
  ...federationSettings,
  ...attestorSettings,
} as const satisfies SettingsTable

/** What `resolveSettings(controlPlaneSettings, …)` gives. */
export type ControlPlaneSettings = SettingsOf<typeof controlPlaneSettings>

function parsePath(text: string): string {
  if (text === '' || text.includes('\0')) throw new TypeError('the path is empty or holds a NUL')
  return text
}

function parseTtl(text: string): number {
  const ttlMs = parseDuration(text)
  if (ttlMs < 5000 || ttlMs > 86_400_000) throw new TypeError(`"${text}" is not between 5s and 24h`)
  return ttlMs
}

function parseJwtTtl(text: string): number {
  const ttlMs = parseDuration(text)
  if (ttlMs < 5000 || ttlMs > 3_600_000) throw new TypeError(`"${text}" is not between 5s and 1h`)
  return ttlMs
}
