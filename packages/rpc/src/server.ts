import type { BundleSource, TrustDomain, X509Svid } from '@picket/identity'
import type { Clock, HostPort, Logger, Watch } from '@picket/runtime'
import type { ControlPlaneHandlers } from './handlers.ts'

export interface ControlPlaneServer extends AsyncDisposable {
  readonly address: HostPort
  /** What grpc.health.v1.Health answers; false until said otherwise. */
  setServing(serving: boolean): void
}

export interface ControlPlaneServerDeps {
  readonly svid: Watch<X509Svid>
  readonly bundles: Watch<BundleSource>
  readonly clock: Clock
  readonly logger: Logger
}

export function startControlPlaneServer(
  _deps: ControlPlaneServerDeps,
  _options: { readonly address: HostPort; readonly trustDomain: TrustDomain; readonly drainTimeoutMs?: number },
  _handlers: ControlPlaneHandlers,
): Promise<ControlPlaneServer> {
  throw new Error('unwritten')
}
