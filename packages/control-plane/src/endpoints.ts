import { createHash } from 'node:crypto'
import { parseSpiffeId, type SpiffeId } from '@picket/identity'
import { encodeEndpoints, type ServiceEndpoints } from '@picket/rpc'
import { createWatch, formatHostPort, parseHostPort, type Clock, type HostPort, type Watch } from '@picket/runtime'
import type { Database } from './store/database.ts'

/**
 * Where services are: the addresses that connected sidecars advertise. A sidecar that goes away keeps its address for a
 * short grace, so that a reconnect does not make callers forget it. The list is kept in the database for the same reason:
 * a control plane that restarts starts with everybody in grace, instead of telling the first sidecar that comes back
 * that the others are gone.
 */
export interface EndpointRegistry {
  /** The encoded payload and its revision (a content hash, so equal lists are equal revisions). */
  readonly snapshot: Watch<EndpointSnapshot>
  /** Disposing the result starts the grace. */
  register(instance: EndpointInstance): Disposable
}

export interface EndpointSnapshot {
  readonly revision: string
  readonly payload: Buffer
}

export interface EndpointInstance {
  readonly instanceId: string
  readonly service: string
  readonly id: SpiffeId
  readonly address: HostPort
}

export const ENDPOINT_GRACE_MS = 15_000

export function createEndpointRegistry(
  database: Database,
  { clock }: { clock: Clock },
  graceMs = ENDPOINT_GRACE_MS,
): EndpointRegistry {
  const save = database.sql.prepare('INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?)')
  const drop = database.sql.prepare('DELETE FROM instances WHERE instance_id = ?')
  const stored = database.sql.prepare('SELECT * FROM instances ORDER BY instance_id').all().map(toInstance)
  const instances = new Map(stored.map((instance) => [instance.instanceId, instance]))
  const snapshot = createWatch(toSnapshot(stored))
  stored.forEach(removeAfterGrace)

  function publish(): void {
    const next = toSnapshot([...instances.values()])
    if (next.revision !== snapshot.value.revision) snapshot.set(next)
  }

  function remove(instanceId: string): void {
    instances.delete(instanceId)
    drop.run(instanceId)
  }

  function removeAfterGrace(instance: EndpointInstance): void {
    clock.after(graceMs, () => {
      if (instances.get(instance.instanceId) !== instance) return
      remove(instance.instanceId)
      publish()
    })
  }

  return {
    snapshot,
    register(instance) {
      const { instanceId, id, service, address } = instance
      // A sidecar that restarted advertises the same address under a new instance: it takes the place of the old one.
      for (const other of instances.values()) {
        if (other.id.uri === id.uri && isSameAddress(other, instance)) remove(other.instanceId)
      }
      instances.set(instanceId, instance)
      save.run(instanceId, id.uri, service, formatHostPort(address))
      publish()
      return { [Symbol.dispose]: () => removeAfterGrace(instance) }
    },
  }
}

function toInstance(row: Record<string, unknown>): EndpointInstance {
  return {
    instanceId: String(row['instance_id']),
    id: parseSpiffeId(String(row['spiffe_id'])),
    service: String(row['service']),
    address: parseHostPort(String(row['address'])),
  }
}

function isSameAddress(a: EndpointInstance, b: EndpointInstance): boolean {
  return a.address.host === b.address.host && a.address.port === b.address.port
}

function toSnapshot(instances: readonly EndpointInstance[]): EndpointSnapshot {
  const services = new Map<string, ServiceEndpoints & { addresses: HostPort[] }>()
  for (const { service, id, address } of instances) {
    const key = `${service} ${id.uri}`
    const known = services.get(key)
    if (known) known.addresses.push(address)
    else services.set(key, { name: service, spiffeId: id, addresses: [address] })
  }
  const sorted = [...services.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, service]) => service)
  for (const service of sorted) service.addresses.sort((a, b) => formatHostPort(a).localeCompare(formatHostPort(b)))
  const payload = encodeEndpoints({ services: sorted })
  return { payload, revision: createHash('sha256').update(payload).digest('hex').slice(0, 16) }
}
