import type { TrustDomain } from '@picket/identity'
import {
  environmentOf,
  flagOf,
  formatHostPort,
  isLoopback,
  type HostPort,
  type SealKey,
  type Secret,
} from '@picket/runtime'
import { SidecarError } from './error.ts'
import { sidecarSettings, type AccessLogTarget, type OutboundRoute, type SidecarSettings } from './settings.ts'

/** Where identity, policy and endpoints come from. */
export type SidecarSource = ControlPlaneSource | FileSource

export interface ControlPlaneSource {
  readonly kind: 'control-plane'
  readonly address: HostPort
  readonly trustDomain: TrustDomain
  /** The pinned bundle that the first contact is verified with. */
  readonly trustBundleFile: string
  readonly joinToken: Secret<string> | undefined
  readonly joinTokenFile: string | undefined
  readonly state: StateConfig | undefined
  /** `port` 0: the port that inbound really listens on. Undefined: no inbound calls. */
  readonly advertise: HostPort | undefined
}

export interface FileSource {
  readonly kind: 'files'
  readonly trustDomain: TrustDomain | undefined
  readonly svidFile: string
  readonly keyFile: string
  readonly trustBundleFile: string
  /** Undefined only without inbound. */
  readonly policyFile: string | undefined
}

/** Where the last good state is sealed, and with what: the key itself, or the file that holds it. */
export interface StateConfig {
  readonly dir: string
  readonly sealKey: SealKey | undefined
  readonly sealKeyFile: string | undefined
}

/** The settings, free of contradictions. */
export interface SidecarConfig {
  readonly source: SidecarSource
  readonly service: string | undefined
  readonly inbound: { readonly listen: HostPort; readonly app: HostPort } | undefined
  readonly outbound: readonly OutboundRoute[]
  readonly outboundListener: HostPort | undefined
  readonly admin: HostPort
  readonly accessLog: AccessLogTarget
  readonly drainTimeoutMs: number
}

const DEFAULT_INBOUND: HostPort = { host: '0.0.0.0', port: 7443 }
const DEFAULT_OUTBOUND_LISTENER: HostPort = { host: '127.0.0.1', port: 7480 }
const ANY_ADDRESS = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])

type Key = keyof typeof sidecarSettings

const ONLY_WITH_CONTROL_PLANE = [
  'joinToken',
  'joinTokenFile',
  'stateDir',
  'sealKey',
  'sealKeyFile',
  'advertise',
] as const
const ONLY_IN_FILE_MODE = ['svid', 'key', 'policy'] as const

/** Settings → configuration. Throws `ERR_SIDECAR_CONFIG` that lists every contradiction and what to write instead. */
export function createSidecarConfig(settings: SidecarSettings): SidecarConfig {
  const problems = [
    ...(settings.controlPlane ? controlPlaneProblems(settings) : fileModeProblems(settings)),
    ...inboundProblems(settings),
    ...outboundProblems(settings),
    ...sameListenProblems(settings),
  ]
  if (problems.length > 0) throw new SidecarError('ERR_SIDECAR_CONFIG', problems.join('\n'))
  return Object.freeze({
    source: settings.controlPlane ? controlPlaneSource(settings, settings.controlPlane) : fileSource(settings),
    service: settings.service,
    inbound: inboundOf(settings),
    outbound: settings.outbound,
    outboundListener: outboundListenerOf(settings),
    admin: settings.admin,
    accessLog: settings.accessLog,
    drainTimeoutMs: settings.drainTimeout,
  })
}

function controlPlaneProblems(settings: SidecarSettings): string[] {
  const problems = ONLY_IN_FILE_MODE.filter((key) => settings[key] !== undefined).map(
    (key) =>
      `controlPlane and ${key} exclude each other: ${key} comes from the control plane, or drop ${flag('controlPlane')}`,
  )
  if (!settings.trustDomain) problems.push(missing('trustDomain', 'with a control plane'))
  if (settings.joinToken && settings.joinTokenFile) {
    problems.push('joinToken and joinTokenFile exclude each other: give one of them')
  }
  if (settings.sealKey && settings.sealKeyFile) {
    problems.push('sealKey and sealKeyFile exclude each other: give one of them')
  }
  if ((settings.sealKey || settings.sealKeyFile) && !settings.stateDir) {
    problems.push(`a sealing key has no use without a state folder: add ${flag('stateDir')}`)
  }
  const inbound = inboundOf(settings)
  if (inbound && !settings.advertise && ANY_ADDRESS.has(inbound.listen.host)) {
    problems.push(`${missing('advertise', 'when inbound listens on every address')}; HOST:0 takes the inbound port`)
  }
  if (settings.advertise && !settings.app)
    problems.push('advertise has no use without app: nothing listens for inbound calls')
  return problems
}

function fileModeProblems(settings: SidecarSettings): string[] {
  if (!settings.svid && !settings.key && !settings.policy) {
    return [
      `no source of identity: give ${flag('controlPlane')} with ${flag('trustDomain')}, or the files ${flag('svid')}, ${flag('key')} and ${flag('policy')}`,
    ]
  }
  const problems: string[] = ONLY_WITH_CONTROL_PLANE.filter((key) => settings[key] !== undefined).map(
    (key) => `${key} has no use without a control plane: drop it or add ${flag('controlPlane')}`,
  )
  if (!settings.svid) problems.push(missing('svid', 'without a control plane'))
  if (!settings.key) problems.push(missing('key', 'without a control plane'))
  if (!settings.policy && settings.app) problems.push(missing('policy', 'to decide inbound requests'))
  for (const route of settings.outbound) {
    if (route.kind !== 'service') continue
    problems.push(
      `outbound "${route.service}" is a mesh service: without a control plane write LISTEN=HOST:PORT,SPIFFE_ID`,
    )
  }
  if (!settings.app && settings.outbound.length === 0 && !outboundListenerOf(settings)) {
    problems.push(
      `nothing to do: give ${flag('app')} for inbound calls, ${flag('outbound')} for outbound calls, or both`,
    )
  }
  return problems
}

function inboundProblems({ app, inbound, dangerouslyAllowRemoteApp }: SidecarSettings): string[] {
  if (!app) return inbound ? [missing('app', 'to forward inbound calls to')] : []
  if (app.port === 0) return ['app needs a port: 0 is not one']
  if (isLoopback(app.host) || dangerouslyAllowRemoteApp) return []
  return [
    `app ${formatHostPort(app)} is not on loopback, so decided requests would travel in plaintext: ` +
      `use 127.0.0.1, or accept that with ${flag('dangerouslyAllowRemoteApp')}`,
  ]
}

/** Plaintext listeners serve whoever reaches them with the app's own identity: they stay on loopback, without exception. */
function outboundProblems(settings: SidecarSettings): string[] {
  const plaintext: [string, HostPort | undefined][] = [
    ...settings.outbound.map((route): [string, HostPort] => ['outbound', route.listen]),
    ['outboundListener', outboundListenerOf(settings)],
    ['admin', settings.admin],
  ]
  return plaintext.flatMap(([key, address]) =>
    address && !isLoopback(address.host) ? [`${key} ${formatHostPort(address)} is not on loopback: use 127.0.0.1`] : [],
  )
}

function sameListenProblems(settings: SidecarSettings): string[] {
  const seen = new Map<string, string>()
  const listeners: [string, HostPort | undefined][] = [
    ['inbound', inboundOf(settings)?.listen],
    ['outboundListener', outboundListenerOf(settings)],
    ['admin', settings.admin],
    ...settings.outbound.map((route): [string, HostPort] => ['outbound', route.listen]),
  ]
  return listeners.flatMap(([key, address]) => {
    if (!address || address.port === 0) return []
    const text = formatHostPort(address)
    const other = seen.get(text)
    seen.set(text, key)
    return other === undefined ? [] : [`${other} and ${key} both want ${text}: give them different ports`]
  })
}

function controlPlaneSource(settings: SidecarSettings, address: HostPort): ControlPlaneSource {
  const { trustDomain, stateDir, sealKey, sealKeyFile } = settings
  if (!trustDomain) throw new SidecarError('ERR_SIDECAR_CONFIG', missing('trustDomain', 'with a control plane'))
  return {
    kind: 'control-plane',
    address,
    trustDomain,
    trustBundleFile: settings.trustBundle,
    joinToken: settings.joinToken,
    joinTokenFile: settings.joinTokenFile,
    state: stateDir === undefined ? undefined : { dir: stateDir, sealKey, sealKeyFile },
    advertise: settings.advertise ?? inboundOf(settings)?.listen,
  }
}

function fileSource(settings: SidecarSettings): FileSource {
  const { svid, key, trustDomain, trustBundle, policy } = settings
  if (!svid || !key) throw new SidecarError('ERR_SIDECAR_CONFIG', missing('svid', 'without a control plane'))
  return { kind: 'files', trustDomain, svidFile: svid, keyFile: key, trustBundleFile: trustBundle, policyFile: policy }
}

function inboundOf({ app, inbound }: SidecarSettings): SidecarConfig['inbound'] {
  return app ? { listen: inbound ?? DEFAULT_INBOUND, app } : undefined
}

function outboundListenerOf({ outboundListener, controlPlane }: SidecarSettings): HostPort | undefined {
  if (outboundListener === 'none') return undefined
  return outboundListener ?? (controlPlane ? DEFAULT_OUTBOUND_LISTENER : undefined)
}

function missing(key: Key, when: string): string {
  return `${key} is missing, needed ${when}: give ${flag(key)} or ${environmentOf(key)}`
}

function flag(key: Key): string {
  return `--${flagOf(key)}`
}
