import type { ControlPlaneSource } from '@picket/agent'
import type { TrustDomain } from '@picket/identity'
import type { KeyExchangeProfile } from '@picket/mtls'
import type { HostPort } from '@picket/runtime'
import { contradictionsOf } from './contradictions.ts'
import { SidecarError } from './error.ts'
import {
  inboundOf,
  outboundListenerOf,
  type AccessLogTarget,
  type OutboundRoute,
  type SidecarSettings,
  type WorkloadAttestation,
} from './settings.ts'

/** Where identity, policy and endpoints come from. */
export type SidecarSource = ControlPlaneSource | FileSource

export interface FileSource {
  readonly kind: 'files'
  readonly trustDomain: TrustDomain | undefined
  readonly svidFile: string
  readonly keyFile: string
  readonly trustBundleFile: string
  /** Undefined only without inbound. */
  readonly policyFile: string | undefined
}

/** Where workloads of this host get their identities; undefined paths are not served. */
export interface WorkloadApiConfig {
  readonly socket: { readonly path: string; readonly group: string | undefined } | undefined
  readonly tcp: HostPort | undefined
  readonly attestation: WorkloadAttestation
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
  readonly keyExchange: KeyExchangeProfile
  readonly workloadApi: WorkloadApiConfig | undefined
  readonly drainTimeoutMs: number
}

/** Settings → configuration. Throws `ERR_SIDECAR_CONFIG` that lists every contradiction and what to write instead. */
export function createSidecarConfig(settings: SidecarSettings): SidecarConfig {
  const problems = contradictionsOf(settings)
  const source = settings.controlPlane ? controlPlaneSource(settings, settings.controlPlane) : fileSource(settings)
  if (problems.length > 0 || !source) throw new SidecarError('ERR_SIDECAR_CONFIG', problems.join('\n'))
  return Object.freeze({
    source,
    service: settings.service,
    inbound: inboundOf(settings),
    outbound: settings.outbound,
    outboundListener: outboundListenerOf(settings),
    admin: settings.admin,
    accessLog: settings.accessLog,
    keyExchange: settings.keyExchange,
    workloadApi: workloadApiOf(settings),
    drainTimeoutMs: settings.drainTimeout,
  })
}

function workloadApiOf(settings: SidecarSettings): WorkloadApiConfig | undefined {
  const { workloadApi: path, workloadApiGroup: group, workloadApiTcp: tcp, workloadAttestation: attestation } = settings
  if (path === undefined && !tcp) return undefined
  return { socket: path === undefined ? undefined : { path, group }, tcp, attestation }
}

/** Undefined when something is missing, which is one of the contradictions. */
function controlPlaneSource(settings: SidecarSettings, address: HostPort): ControlPlaneSource | undefined {
  const { trustDomain, stateDir, sealKey, sealKeyFile, x509PopCertificate, x509PopKey } = settings
  if (!trustDomain) return undefined
  return {
    kind: 'control-plane',
    address,
    trustDomain,
    trustBundleFile: settings.trustBundle,
    joinToken: settings.joinToken,
    joinTokenFile: settings.joinTokenFile,
    x509Pop:
      x509PopCertificate && x509PopKey ? { certificateFile: x509PopCertificate, keyFile: x509PopKey } : undefined,
    kubernetesTokenFile: settings.kubernetesTokenFile,
    state: stateDir === undefined ? undefined : { dir: stateDir, sealKey, sealKeyFile },
    advertise: settings.advertise ?? inboundOf(settings)?.listen,
    keyExchange: settings.keyExchange,
  }
}

function fileSource({ svid, key, trustDomain, trustBundle, policy }: SidecarSettings): FileSource | undefined {
  if (!svid || !key) return undefined
  return { kind: 'files', trustDomain, svidFile: svid, keyFile: key, trustBundleFile: trustBundle, policyFile: policy }
}
