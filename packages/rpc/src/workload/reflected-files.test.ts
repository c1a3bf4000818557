import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workloadDefinitions } from './definitions.ts'
import { workloadFiles } from './reflected-files.ts'

const files = workloadFiles()

test('every message and service has its file, with all that it imports behind it', () => {
  for (const symbol of Object.keys(workloadDefinitions())) {
    const [own, ...imported] = files.bySymbol(symbol)
    assert.ok(own, symbol)
    const text = own.toString('latin1')
    assert.ok(text.includes(symbol.slice(symbol.lastIndexOf('.') + 1)), symbol)
    for (const other of imported) assert.ok(text.includes(other.toString('utf8', 2, 2 + other[1]!)), symbol)
  }
})

test('a method is in the file of its service; what is not there is not found', () => {
  assert.deepEqual(files.bySymbol('SpiffeWorkloadAPI.FetchX509SVID'), files.bySymbol('SpiffeWorkloadAPI'))
  for (const symbol of ['', '.', 'nobody', 'envoy.nobody', '__proto__', 'constructor', 'a.constructor']) {
    assert.deepEqual(files.bySymbol(symbol), [], symbol)
    assert.deepEqual(files.byName(symbol), [])
  }
})
