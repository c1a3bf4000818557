import type { BundleSource, SpiffeId } from '@picket/identity'
import { createDialer, type KeyExchangeProfile } from '@picket/mtls'
import type { Endpoints } from '@picket/rpc'
import type { HostPort } from '@picket/runtime'
import type { SidecarInputs } from './inputs.ts'
import { createUpstreamService, type UpstreamService, type UpstreamServiceDeps } from './upstream-service.ts'

/** The services that calls can go to, kept in step with the endpoints, the SVID and the trust bundles. */
export interface UpstreamDirectory extends AsyncDisposable {
  /** A service of the mesh by the name before `.mesh`. */
  find(name: string): UpstreamService | undefined
  /** A service with one fixed address and identity, known to nobody else. */
  addStatic(name: string, address: HostPort, spiffeId: SpiffeId): UpstreamService
}

export function createUpstreamDirectory(
  deps: Omit<UpstreamServiceDeps, 'dialer'>,
  { svid, bundles, endpoints }: SidecarInputs,
  keyExchange?: KeyExchangeProfile,
): UpstreamDirectory {
  const dialer = createDialer({ svid, bundles, clock: deps.clock }, keyExchange ? { keyExchange } : {})
  const services = new Map<string, UpstreamService>()
  const fixed: UpstreamService[] = []
  const create = (name: string, spiffeId: SpiffeId): UpstreamService =>
    createUpstreamService({ ...deps, dialer }, name, spiffeId)

  function follow({ services: listed }: Endpoints): void {
    const gone = new Set(services.keys())
    const seen = new Set<string>()
    for (const { name, spiffeId, addresses } of listed) {
      if (seen.has(name)) continue // two identities under one name: the first, in the control plane's stable order
      seen.add(name)
      gone.delete(name)
      const known = services.get(name)
      // Another identity under the same name is another service: nothing of the old one is kept.
      const service = known?.spiffeId.uri === spiffeId.uri ? known : create(name, spiffeId)
      if (known && known !== service) known.setAddresses([])
      service.setAddresses(addresses)
      services.set(name, service)
    }
    for (const name of gone) {
      services.get(name)?.setAddresses([])
      services.delete(name)
    }
  }

  function renew(): void {
    for (const service of [...services.values(), ...fixed]) service.renew()
  }

  function reverify(next: BundleSource): void {
    for (const service of [...services.values(), ...fixed]) service.reverify(next)
  }

  follow(endpoints.value)
  const subscriptions = [endpoints.subscribe(follow), svid.subscribe(renew), bundles.subscribe(reverify)]
  return {
    find: (name) => services.get(name),
    addStatic(name, address, spiffeId) {
      const service = create(name, spiffeId)
      service.setAddresses([address])
      fixed.push(service)
      return service
    },
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      await Promise.all([...services.values(), ...fixed].map((service) => service[Symbol.asyncDispose]()))
      dialer[Symbol.dispose]()
    },
  }
}
