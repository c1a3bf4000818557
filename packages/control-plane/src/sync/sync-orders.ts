import type { SyncConnection } from './sync-connection.ts'

/**
 * Orders to renew that have not been followed yet. A stream may end with the order on it, and a sidecar moves its stream
 * at each renewal: so an order stands until the instance shows another SVID than the one that it was given for, and each
 * new stream of the instance is told again.
 */
export interface RotationOrders {
  order(connection: SyncConnection): void
  /** The stream has begun, or the sidecar has reported: tells it again, or forgets what it has followed. */
  remind(connection: SyncConnection): void
}

/** Of instances that do not come back the oldest orders are forgotten. */
const MOST_ORDERS = 100_000

export function createRotationOrders(): RotationOrders {
  const orders = new Map<string, { readonly serial: string; readonly told: WeakSet<SyncConnection> }>()
  return {
    order(connection) {
      const key = keyOf(connection)
      const serial = serialOf(connection)
      const standing = orders.get(key)
      if (standing?.serial === serial && standing.told.has(connection)) return // it is at it, and tries until it succeeds
      orders.delete(key)
      orders.set(key, { serial, told: new WeakSet([connection]) })
      if (orders.size > MOST_ORDERS) orders.delete(orders.keys().next().value!)
      connection.rotate()
    },
    remind(connection) {
      const key = keyOf(connection)
      const order = orders.get(key)
      if (!order) return
      if (order.serial !== serialOf(connection)) return void orders.delete(key)
      if (order.told.has(connection)) return
      order.told.add(connection)
      connection.rotate()
    },
  }
}

/** Of the default identity's SVID: as reported, or as the stream was opened with. */
function serialOf({ report, identity }: SyncConnection): string {
  return report?.svidSerial || identity.serialNumber
}

function keyOf({ identity, hello }: SyncConnection): string {
  return `${identity.id.uri} ${hello.instanceId}`
}
