import type { SpiffeId } from '@picket/identity'
import type { Clock, HostPort, Logger, Metrics, Random, Watch } from '@picket/runtime'
import { SidecarError } from './error.ts'
import type { ReadinessReason } from './readiness.ts'
import type { OutboundRoute, SidecarSettings } from './settings.ts'

export interface SidecarDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Where access records go with `accessLog: -`. */
  readonly stdout: NodeJS.WritableStream
  readonly metrics?: Metrics
}

/** Where the sidecar really listens: ports that were 0 are filled in. */
export interface SidecarAddresses {
  readonly inbound: HostPort | undefined
  readonly outbound: readonly { readonly route: OutboundRoute; readonly address: HostPort }[]
  readonly outboundListener: HostPort | undefined
  readonly admin: HostPort
}

export interface Sidecar extends AsyncDisposable {
  readonly id: SpiffeId
  readonly addresses: SidecarAddresses
  /** Why it is not ready; empty when it is. */
  readonly readiness: Watch<readonly ReadinessReason[]>
  /** Resolves once identity and policy are in place: from then on an app may be started behind it. Rejects when it stops before. */
  readonly ready: Promise<void>
  /** Resolves when it has stopped and drained; rejects when a part of it failed. */
  readonly closed: Promise<void>
}

/**
 * Starts a sidecar and resolves when all its listeners are bound, which needs a first SVID; the admin listener answers
 * meanwhile. Abort `signal` (SIGTERM) or dispose the result to drain and stop.
 */
export function startSidecar(_deps: SidecarDeps, _settings: SidecarSettings, _signal: AbortSignal): Promise<Sidecar> {
  throw new SidecarError('ERR_SIDECAR_CONFIG', 'not yet')
}
