import type { Socket } from 'node:net'
import { createUpstreamPool, type UpstreamPool } from '@picket/http'
import type { BundleSource, SpiffeId } from '@picket/identity'
import { reverify, type Dialer, type VerifiedPeer } from '@picket/mtls'
import { formatHostPort, type Clock, type HostPort, type Logger, type Random } from '@picket/runtime'
import { createBalancer, type Balancer, type Endpoint } from './balancer.ts'
import { watchExpiry } from './peer-expiry.ts'
import type { TrafficMetrics } from './traffic-metrics.ts'

/** A service that the app may call: where it is, who must answer there, and the connections to it. */
export interface UpstreamService extends AsyncDisposable {
  readonly name: string
  readonly spiffeId: SpiffeId
  setAddresses(addresses: readonly HostPort[]): void
  /** Connections made from now on show the newest SVID. */
  renew(): void
  /**
   * Ends the connections whose callee is on the deny-list, at once, and takes no new call to those whose callee does not
   * verify any more; the others are not touched.
   */
  reverify(bundles: BundleSource): void
  pick(): Endpoint<UpstreamPool> | undefined
}

export interface UpstreamServiceDeps {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Pick<TrafficMetrics, 'keysExchanged'>
}

const POOL = {
  maxConnections: 256,
  maxIdle: 64,
  idleTimeoutMs: 60_000,
  connectTimeoutMs: 5_000,
  responseTimeoutMs: 60_000,
} as const
/** Connections of an address that has gone may finish what they carry for this long. */
const RETIRE_MS = 60_000

export function createUpstreamService(deps: UpstreamServiceDeps, name: string, spiffeId: SpiffeId): UpstreamService {
  const { clock } = deps
  const pools = new Map<string, UpstreamPool>()
  const retired = new Map<UpstreamPool, Disposable>()
  const live: LiveUpstreams = new Map()
  const balancer: Balancer<UpstreamPool> = createBalancer(deps)

  function retire(pool: UpstreamPool): void {
    pool.renew()
    const end = clock.after(RETIRE_MS, () => {
      retired.delete(pool)
      void pool[Symbol.asyncDispose]()
    })
    retired.set(pool, end)
  }

  return {
    name,
    spiffeId,
    setAddresses(addresses) {
      const wanted = new Map(addresses.map((address) => [formatHostPort(address), address]))
      for (const [key, pool] of pools) {
        if (wanted.has(key)) continue
        pools.delete(key)
        retire(pool)
      }
      for (const [key, address] of wanted)
        if (!pools.has(key)) pools.set(key, createPool(deps, live, { name, address, spiffeId }))
      balancer.update(pools)
    },
    renew: () => pools.forEach((pool) => pool.renew()),
    reverify(bundles) {
      const now = new Date(clock.now())
      for (const [socket, peer] of live) {
        const verdict = reverify(peer, bundles, now)
        if (verdict.kind === 'verified') continue
        const { code, message } = verdict
        deps.logger.warn('connection ends: its callee is refused now', { service: name, code, message })
        if (code === 'revoked') socket.destroy()
        else for (const pool of pools.values()) pool.renew()
      }
    },
    pick: () => balancer.pick(),
    async [Symbol.asyncDispose]() {
      for (const end of retired.values()) end[Symbol.dispose]()
      await Promise.all([...pools.values(), ...retired.keys()].map((pool) => pool[Symbol.asyncDispose]()))
    },
  }
}

/** Verified connections and who answered on them. */
type LiveUpstreams = Map<Socket, VerifiedPeer>

/**
 * Mutual TLS connections to one address, whose peer must be exactly `spiffeId`: checked after the handshake and before
 * the first byte. A connection does not outlive the SVID that its peer showed; shortly before, new ones take its place.
 */
function createPool(
  { dialer, clock, logger, metrics }: UpstreamServiceDeps,
  live: LiveUpstreams,
  { name, address, spiffeId }: { readonly name: string; readonly address: HostPort; readonly spiffeId: SpiffeId },
): UpstreamPool {
  const pool = createUpstreamPool(
    {
      ...POOL,
      name: `${name} ${formatHostPort(address)}`,
      connect: (read) => dialer.connect(address, spiffeId, read),
      readyEvent: 'secureConnect',
      prepare(socket) {
        const refusal = dialer.prepare(socket)
        if (refusal) {
          const { code, message } = refusal
          logger.warn('upstream peer is refused', { service: name, address: formatHostPort(address), code, message })
          return { flag: 'upstream_untrusted', message: `${code}: ${message}` }
        }
        const peer = dialer.peerOf(socket)
        if (peer) live.set(socket, peer)
        metrics.keysExchanged(dialer.groupOf(socket))
        const notAfter = peer?.notAfter ?? new Date(0)
        const on = { lastCall: () => pool.renew(), end: () => void socket.destroy() }
        const expiry = watchExpiry(clock, notAfter, on)
        socket.once('close', () => {
          live.delete(socket)
          expiry[Symbol.dispose]()
        })
        return undefined
      },
    },
    { clock },
  )
  return pool
}
