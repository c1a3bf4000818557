import type { X509Svid } from '@picket/identity'
import {
  codeOf,
  formatHostPort,
  messageOf,
  startAdmin,
  toJson,
  toText,
  type AdminListener,
  type Clock,
  type HostPort,
  type Logger,
  type Metrics,
  type Watch,
} from '@picket/runtime'
import { ControlPlaneError } from './error.ts'

/** What a control plane is doing, as far as whoever asks for its health must know. */
export type Phase = 'starting' | 'serving' | 'stopping'

interface HealthDeps {
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly svid: Watch<X509Svid>
  phase(): Phase
}

/** The loopback listener of `/live`, `/ready` with reasons, and `/metrics`. Throws `ERR_PORT_IN_USE` or `ERR_LISTEN`. */
export async function startHealth(deps: HealthDeps, address: HostPort): Promise<AdminListener> {
  const routes = {
    '/live': () => toText(200, 'live'),
    '/ready': () => {
      const reasons = notReadyReasons(deps)
      return toJson(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons })
    },
    '/metrics': () => ({ ...toText(200, deps.metrics.render()), contentType: 'text/plain; version=0.0.4' }),
  }
  try {
    return await startAdmin({ logger: deps.logger }, { address, routes })
  } catch (cause) {
    const inUse = codeOf(cause) === 'EADDRINUSE'
    const why = inUse ? 'the port is in use' : messageOf(cause)
    const message = `health: cannot listen on ${formatHostPort(address)}: ${why}`
    throw new ControlPlaneError(inUse ? 'ERR_PORT_IN_USE' : 'ERR_LISTEN', message, { cause })
  }
}

export function notReadyReasons({ clock, svid, phase }: Pick<HealthDeps, 'clock' | 'svid' | 'phase'>): string[] {
  const now = clock.now()
  return [
    ...(phase() === 'serving' ? [] : [phase()]),
    ...(svid.value.notAfter.getTime() > now ? [] : ['own SVID expired']),
  ]
}
