import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { settle } from '@picket/runtime/testing'
import { DAY, setUp } from './testing-rotation.ts'

suite('a rotation driver', () => {
  test('takes every step when its time has come, and tells sidecars to renew once', async () => {
    await using setting = setUp()
    const { clock, did, driver, says, order } = setting
    says('x', ['a'], ['a'])
    await order({ svidAlgorithm: 'ml-dsa-65' })
    await clock.advance(1000)
    assert.deepEqual(did, ['prepare x509'])
    assert.deepEqual([driver.progress.value?.phase, driver.progress.value?.laggards.length], ['distributing', 1])
    says('x', ['a', 'x5091'], ['a'])
    await clock.advance(1000)
    assert.deepEqual(did.slice(1), ['activate x5091', 'taint a'])
    assert.equal(setting.svidAlgorithm.value, 'ml-dsa-65')
    assert.deepEqual([driver.progress.value?.phase, setting.told()], ['reissuing', 1])
    assert.match(setting.metrics.render(), /picket_rotation_phase\{phase="reissuing"\} 1/)
    says('x', ['a', 'x5091'], ['x5091'])
    await clock.advance(1000)
    assert.deepEqual(did.slice(3), ['revoke a'])
    assert.deepEqual([driver.progress.value, setting.state.rotation, setting.told()], [undefined, undefined, 1])
  })

  test('tells a sidecar again that does not renew, and complains about it by name', async () => {
    await using setting = setUp()
    setting.says('x', ['a', 'x5091'], ['a'])
    await setting.order()
    await setting.clock.advance(1000)
    assert.equal(setting.told(), 1)
    await setting.clock.advance(10_000)
    assert.equal(setting.told(), 2)
    const complaint = setting.log.find(({ message }) => message === 'rotation waits for sidecars')
    assert.deepEqual(complaint?.fields['laggards'], ['spiffe://bank.test/x one'])
  })

  test('tells every sidecar, also when another says that it holds the same SVID', async () => {
    await using setting = setUp()
    setting.says('liar', ['a', 'x5091'], ['a'])
    setting.says('x', ['a', 'x5091'], ['a'])
    await setting.order()
    await setting.clock.advance(1000)
    assert.equal(setting.told(), 2)
  })

  test('goes on after a deadline with an alarm and a count', async () => {
    await using setting = setUp()
    setting.says('x', ['a'], ['a'])
    await setting.order({ deadlineMs: 5000 })
    await setting.clock.advance(4900)
    assert.deepEqual(setting.did, ['prepare x509'])
    await setting.clock.advance(11_000)
    assert.deepEqual(setting.did, ['prepare x509', 'activate x5091', 'taint a', 'revoke a'])
    assert.equal(setting.log.filter(({ message }) => message === 'rotation goes on without some sidecars').length, 2)
    assert.match(setting.metrics.render(), /picket_rotation_forced_total\{because="deadline"\} 2/)
  })

  test('denies the compromised key before it revokes it', async () => {
    await using setting = setUp()
    await setting.order({ reason: 'emergency', deadlineMs: 30_000 })
    await setting.clock.advance(1000)
    assert.deepEqual([...setting.denied.keys()], ['a'])
    assert.equal(setting.did.at(-1), 'revoke a')
  })

  test('takes no key in an emergency that lay on the disk before it', async () => {
    await using setting = setUp()
    const { keyId: stolenToo } = await setting.authority.prepare('x509')
    await setting.order({ reason: 'emergency', deadlineMs: 30_000 })
    await setting.clock.advance(1000)
    const active = setting.authority.authorities.value.find(({ kind, state }) => kind === 'x509' && state === 'active')
    assert.notEqual(active?.keyId, stolenToo)
    assert.deepEqual(setting.did.slice(0, 3), ['prepare x509', 'prepare x509', `activate ${active?.keyId}`])
  })

  test('tries a failed step again, says what holds it up, and ends all the same', async () => {
    await using setting = setUp()
    setting.state.fail = 3
    await setting.order()
    await setting.clock.advance(100)
    assert.deepEqual(
      setting.driver.progress.value?.laggards.map(({ reason }) => reason),
      ['the disk is full'],
    )
    await setting.clock.advance(60_000)
    assert.deepEqual([setting.state.rotation, setting.did.at(-1)], [undefined, 'revoke a'])
  })

  test('does no step twice that took effect although it ended in the middle', async () => {
    await using setting = setUp()
    setting.state.failAfter = true
    await setting.order({ kinds: ['x509', 'jwt'], svidAlgorithm: 'ec-p384', deadlineMs: 30_000 })
    await setting.clock.advance(600_000)
    assert.deepEqual(setting.did, [
      'prepare x509',
      'prepare jwt',
      'activate x5091',
      'activate jwt2',
      'taint a',
      'taint j',
      'revoke a',
      'revoke j',
    ])
    assert.deepEqual([setting.state.rotation, setting.state.svidAlgorithm], [undefined, 'ec-p384'])
  })

  test('goes on with what a stopped control plane had begun', async () => {
    await using first = setUp()
    first.says('x', ['a'], ['a'])
    await first.order()
    await first.clock.advance(1000)
    const { rotation } = first.state
    await using second = setUp()
    second.state.rotation = rotation
    await second.clock.advance(1000)
    assert.deepEqual(second.did.at(-1), 'revoke a')
  })

  test('keeps the calendar: prepares at half life, rotates at five sixths, keeps the old one', async () => {
    await using setting = setUp()
    await setting.clock.advance(15 * DAY + 1000)
    assert.deepEqual(
      setting.did.filter((what) => what !== 'prune'),
      ['prepare x509', 'prepare jwt'],
    )
    await setting.clock.advance(10 * DAY)
    assert.deepEqual(setting.did.filter((what) => what !== 'prune').slice(2), ['activate x5091', 'activate jwt2'])
    assert.equal(setting.authority.authorities.value.filter(({ state }) => state === 'old').length, 2)
    assert.equal(setting.driver.progress.value, undefined)
  })

  test('does not let expired authorities pile up, however short they live', async () => {
    await using setting = setUp()
    await setting.clock.advance(260 * DAY)
    const { value } = setting.authority.authorities
    assert.ok(value.filter(({ kind }) => kind === 'x509').length <= 9, String(value.length))
    assert.ok(value.some(({ state, notAfter }) => state === 'active' && notAfter.getTime() > setting.clock.now()))
  })

  test('says so when the upstream is not renewed, and does nothing else', async () => {
    let endsAtMs = 0
    await using setting = setUp({ upstreamEndsAtMs: async () => endsAtMs })
    endsAtMs = setting.clock.now() + 30 * DAY
    await setting.clock.advance(16 * DAY)
    assert.ok(setting.log.some(({ message }) => message === 'the upstream authority ends too soon: renew its files'))
    assert.ok(!setting.did.includes('prepare x509'))
    endsAtMs += 60 * DAY
    await setting.clock.advance(DAY)
    assert.ok(setting.did.includes('prepare x509'), 'the files were renewed')
  })

  test('takes an order between two steps: what replaces a rotation is not ended with it', async () => {
    await using setting = setUp()
    const first = setting.order({ retire: false })
    const second = setting.order({ kinds: ['jwt'], retire: false })
    await Promise.all([first, second])
    await settle()
    await setting.clock.advance(1000)
    assert.deepEqual(
      setting.did
        .filter((what) => what.startsWith('activate'))
        .at(-1)
        ?.startsWith('activate jwt'),
      true,
    )
  })
})
