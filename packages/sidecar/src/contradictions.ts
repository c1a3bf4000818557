import { isIP } from 'node:net'
import { environmentOf, flagOf, formatHostPort, isLoopback, type HostPort } from '@picket/runtime'
import { inboundOf, outboundListenerOf, type SidecarSettings } from './settings.ts'

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])

type Key = keyof SidecarSettings

const ONLY_WITH_CONTROL_PLANE = [
  'joinToken',
  'joinTokenFile',
  'x509PopCertificate',
  'x509PopKey',
  'kubernetesTokenFile',
  'stateDir',
  'sealKey',
  'sealKeyFile',
  'advertise',
] as const
const ONLY_IN_FILE_MODE = ['svid', 'key', 'policy'] as const

/** Settings that exclude each other or miss a partner: all of them, each with what to write instead. */
export function contradictionsOf(settings: SidecarSettings): string[] {
  return [
    ...(settings.controlPlane ? controlPlaneProblems(settings) : fileModeProblems(settings)),
    ...inboundProblems(settings),
    ...outboundProblems(settings),
    ...workloadApiProblems(settings),
    ...sameListenProblems(settings),
  ]
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
  if ((settings.x509PopCertificate === undefined) !== (settings.x509PopKey === undefined)) {
    problems.push(missing(settings.x509PopKey ? 'x509PopCertificate' : 'x509PopKey', 'to prove a certificate'))
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
  if (!settings.app && settings.outbound.length === 0 && !outboundListenerOf(settings) && !servesWorkloads(settings)) {
    problems.push(
      `nothing to do: give ${flag('app')} for inbound calls, ${flag('outbound')} for outbound calls, or ${flag('workloadApi')}`,
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

const servesWorkloads = ({ workloadApi, workloadApiTcp }: SidecarSettings): boolean =>
  workloadApi !== undefined || workloadApiTcp !== undefined

/** A TCP port is open to every user of the host: without the kernel's word for who calls it would be everybody's identity. */
function workloadApiProblems(settings: SidecarSettings): string[] {
  const { workloadApiGroup, workloadApiTcp, workloadAttestation } = settings
  const problems: string[] = []
  if (workloadApiGroup !== undefined && !servesWorkloads(settings)) {
    problems.push(`workloadApiGroup has no use without a socket: add ${flag('workloadApi')}`)
  }
  if (workloadAttestation === 'unix' && !servesWorkloads(settings)) {
    problems.push(`workloadAttestation has no use without a socket: add ${flag('workloadApi')}`)
  }
  if (!workloadApiTcp) return problems
  if (!isLoopback(workloadApiTcp.host) || isIP(workloadApiTcp.host) === 0) {
    problems.push(`workloadApiTcp ${formatHostPort(workloadApiTcp)} is not a loopback address: use 127.0.0.1`)
  }
  if (workloadAttestation !== 'unix') {
    problems.push(
      `workloadApiTcp would serve every user of this host: add ${flag('workloadAttestation')} unix, or use ${flag('workloadApi')}`,
    )
  }
  return problems
}

function sameListenProblems(settings: SidecarSettings): string[] {
  const seen = new Map<string, string>()
  const listeners: [string, HostPort | undefined][] = [
    ['inbound', inboundOf(settings)?.listen],
    ['outboundListener', outboundListenerOf(settings)],
    ['admin', settings.admin],
    ['workloadApiTcp', settings.workloadApiTcp],
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

function missing(key: Key, when: string): string {
  return `${key} is missing, needed ${when}: give ${flag(key)} or ${environmentOf(key)}`
}

function flag(key: Key): string {
  return `--${flagOf(key)}`
}
