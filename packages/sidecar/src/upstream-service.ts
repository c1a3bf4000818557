import { createUpstreamPool, type UpstreamPool } from '@picket/http'
import type { SpiffeId } from '@picket/identity'
import type { Dialer } from '@picket/mtls'
import { formatHostPort, type Clock, type HostPort, type Logger, type Random } from '@picket/runtime'
import { createBalancer, type Balancer, type Endpoint } from './balancer.ts'
import { watchExpiry } from './peer-expiry.ts'

/** A service that the app may call: where it is, who must answer there, and the connections to it. */
export interface UpstreamService extends AsyncDisposable {
  readonly name: string
  readonly spiffeId: SpiffeId
  setAddresses(addresses: readonly HostPort[]): void
  /** Connections made from now on show the newest SVID and trust the newest bundle. */
  renew(): void
  pick(): Endpoint<UpstreamPool> | undefined
}

export interface UpstreamServiceDeps {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
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
        if (!pools.has(key)) pools.set(key, createPool(deps, name, address, spiffeId))
      balancer.update(pools)
    },
    renew: () => pools.forEach((pool) => pool.renew()),
    pick: () => balancer.pick(),
    async [Symbol.asyncDispose]() {
      for (const end of retired.values()) end[Symbol.dispose]()
      await Promise.all([...pools.values(), ...retired.keys()].map((pool) => pool[Symbol.asyncDispose]()))
    },
  }
}

/**
 * Mutual TLS connections to one address, whose peer must be exactly `spiffeId`: checked after the handshake and before
 * the first byte. A connection does not outlive the SVID that its peer showed; shortly before, new ones take its place.
 */
function createPool(
  { dialer, clock, logger }: UpstreamServiceDeps,
  name: string,
  address: HostPort,
  spiffeId: SpiffeId,
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
        const notAfter = dialer.peerOf(socket)?.notAfter ?? new Date(0)
        const on = { lastCall: () => pool.renew(), end: () => void socket.destroy() }
        const expiry = watchExpiry(clock, notAfter, on)
        socket.once('close', () => expiry[Symbol.dispose]())
        return undefined
      },
    },
    { clock },
  )
  return pool
}
