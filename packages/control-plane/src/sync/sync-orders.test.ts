import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SyncConnection } from './sync-connection.ts'
import { createRotationOrders } from './sync-orders.ts'

/** A stream of one instance, opened with the SVID of this serial number. */
function connect(serialNumber: string): SyncConnection & { orders: number; shows(serial: string): void } {
  let reported: string | undefined
  const connection = {
    orders: 0,
    identity: { id: { uri: 'spiffe://bank.test/payments' }, serialNumber },
    hello: { instanceId: 'one' },
    get report() {
      return reported === undefined ? undefined : { svidSerial: reported }
    },
    shows: (serial: string) => void (reported = serial),
    rotate: () => void (connection.orders += 1),
  }
  return connection as unknown as ReturnType<typeof connect>
}

suite('an order to renew', () => {
  test('is given once, however often it is asked for before it is followed', () => {
    const orders = createRotationOrders()
    const stream = connect('01')
    for (let asked = 0; asked < 3; asked++) orders.order(stream)
    orders.remind(stream)
    assert.equal(stream.orders, 1)
  })

  test('is given again on the next stream, unless that shows another SVID', () => {
    const orders = createRotationOrders()
    orders.order(connect('01'))
    const again = connect('01')
    orders.remind(again)
    orders.remind(again)
    assert.equal(again.orders, 1)
    const renewed = connect('02')
    orders.remind(renewed)
    assert.equal(renewed.orders, 0)
    const later = connect('01')
    orders.remind(later)
    assert.equal(later.orders, 0, 'it was followed and is forgotten')
  })

  test('is over when the report shows another SVID, and can then be given anew', () => {
    const orders = createRotationOrders()
    const stream = connect('01')
    orders.order(stream)
    stream.shows('02')
    orders.remind(stream)
    orders.order(stream)
    assert.equal(stream.orders, 2)
  })
})
