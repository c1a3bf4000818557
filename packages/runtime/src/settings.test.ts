import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHostPort, type HostPort } from './address.ts'
import { parseDuration } from './duration.ts'
import { environmentOf, flagOf, nearestName, resolveSettings, type RawSetting, type Setting } from './settings.ts'

const TABLE = {
  inbound: { parse: parseHostPort, default: '0.0.0.0:7443', placeholder: 'HOST:PORT', doc: 'Where callers connect.' },
  app: { parse: parseHostPort, placeholder: 'HOST:PORT', doc: 'The app.' },
  outbound: { parse: String, list: true, placeholder: 'LISTEN=SERVICE', doc: 'Upstreams.' },
  stateDir: { parse: String, optional: true, placeholder: 'FOLDER', doc: 'State.' },
  drainTimeout: { parse: parseDuration, default: '30s', placeholder: 'DURATION', doc: 'Drain.' },
} as const satisfies Record<string, Setting<HostPort | string | number>>

const at =
  (place: string) =>
  (key: string, text: string): RawSetting => ({ key, text, place })
const flag = at('--flag')
const environment = at('PICKET_X')
const file = at('sidecar.yaml:3')

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  const sources = [[flag('app', 'a:1')], [environment('app', 'b:2')], [file('app', 'c:3')]]
  assert.equal(resolveSettings(TABLE, sources).app.host, 'a')
  assert.equal(resolveSettings(TABLE, sources.slice(1)).app.host, 'b')
  assert.equal(resolveSettings(TABLE, sources.slice(2)).app.host, 'c')
  assert.equal(resolveSettings(TABLE, sources).inbound.port, 7443)
})

test('lists collect within a source and are replaced, not merged, by a stronger one', () => {
  const sources = [
    [flag('outbound', 'one'), flag('outbound', 'two')],
    [file('outbound', 'three')],
    [file('app', 'a:1')],
  ]
  assert.deepEqual(resolveSettings(TABLE, sources).outbound, ['one', 'two'])
  assert.deepEqual(resolveSettings(TABLE, sources.slice(2)).outbound, [])
})

test('of a single value given twice in one source the last counts', () => {
  assert.equal(resolveSettings(TABLE, [[flag('app', 'a:1'), flag('app', 'b:2')]]).app.host, 'b')
})

test('every problem is reported at once, each with its place', () => {
  const sources = [[flag('inbound', 'nowhere')], [file('inbuond', 'x:1'), file('drainTimeout', '30')]]
  assert.throws(
    () => resolveSettings(TABLE, sources),
    (thrown: Error & { code: string }) => {
      assert.equal(thrown.code, 'ERR_SETTINGS')
      const lines = thrown.message.split('\n')
      assert.equal(lines.length, 4)
      assert.match(thrown.message, /^sidecar\.yaml:3: unknown key "inbuond": did you mean "inbound"\?$/m)
      assert.match(thrown.message, /^--flag: inbound: "nowhere" is not an address/m)
      assert.match(thrown.message, /^sidecar\.yaml:3: drainTimeout: "30" is not a duration/m)
      assert.match(thrown.message, /^app is missing: give --app or PICKET_APP/m)
      return true
    },
  )
})

test('the result is frozen, lists included', () => {
  const settings = resolveSettings(TABLE, [[flag('app', 'a:1'), flag('outbound', 'one')]])
  assert.ok(Object.isFrozen(settings) && Object.isFrozen(settings.outbound))
  assert.equal(settings.stateDir, undefined)
})

test('names of the language are unknown keys like any other', () => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    assert.throws(() => resolveSettings(TABLE, [[flag('app', 'a:1'), file(key, 'x')]]), { code: 'ERR_SETTINGS' })
  }
})

test('keys have a flag and a variable each', () => {
  assert.equal(flagOf('drainTimeout'), 'drain-timeout')
  assert.equal(environmentOf('drainTimeout'), 'PICKET_DRAIN_TIMEOUT')
})

test('the nearest name is found for slips and not for strangers', () => {
  const names = ['inbound', 'outbound', 'admin']
  assert.equal(nearestName('inbuond', names), 'inbound')
  assert.equal(nearestName('ADMIN', names), 'admin')
  assert.equal(nearestName('certificate', names), undefined)
  assert.equal(nearestName('x', []), undefined)
})

test('a name is always its own nearest', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (name) => assert.equal(nearestName(name, ['~'.repeat(99), name]), name)),
  )
})
