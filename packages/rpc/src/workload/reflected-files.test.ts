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

test('names are full, those of fields as in the source, those of map entries as compilers make them', () => {
  const api = files.bySymbol('SpiffeWorkloadAPI')[0]!.toString('latin1')
  for (const name of [
    '.X509SVIDResponse.FederatedBundlesEntry',
    '.google.protobuf.Struct',
    '.X509SVID',
    'x509_svid_key',
  ]) {
    assert.ok(api.includes(name), name)
  }
  const discovery = files.bySymbol('envoy.service.discovery.v3.DeltaDiscoveryRequest')[0]!.toString('latin1')
  assert.ok(discovery.includes('.envoy.service.discovery.v3.DeltaDiscoveryRequest.InitialResourceVersionsEntry'))
  assert.ok(discovery.includes('.envoy.config.core.v3.Node'))
})

test('a method is in the file of its service; what is not there is not found', () => {
  assert.deepEqual(files.bySymbol('SpiffeWorkloadAPI.FetchX509SVID'), files.bySymbol('SpiffeWorkloadAPI'))
  for (const symbol of ['', '.', 'nobody', 'envoy.nobody', '__proto__', 'constructor', 'a.constructor']) {
    assert.deepEqual(files.bySymbol(symbol), [], symbol)
    assert.deepEqual(files.byName(symbol), [])
  }
})
