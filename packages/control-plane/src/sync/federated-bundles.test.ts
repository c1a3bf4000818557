import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBundleMap, type TrustBundle } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import { createFederatedBundles } from './federated-bundles.ts'

/** A bundle of so many keys, all alike. */
function bundleOf(name: string, keys = 1): TrustBundle {
  const { bundle } = createTestAuthority(name)
  const [key] = bundle.x509Authorities
  return { ...bundle, x509Authorities: Array.from({ length: keys }, () => key!) }
}

test('federated bundles that are too large together leave the smaller ones be, and the rest is told', () => {
  const names = ['large.test', 'small.test', 'other.test']
  const bundles = names.map((name) => bundleOf(name, name.startsWith('large') ? 8000 : 2))
  const logger = createRecordingLogger()
  const federation = createWatch(new Map(bundles.map((bundle) => [bundle.trustDomain.name, bundle])))
  const { bytes } = createFederatedBundles(federation, logger)([...names, 'absent.test'])
  const held = parseBundleMap(bytes).map(({ trustDomain }) => trustDomain.name)
  assert.deepEqual(held.sort(), ['other.test', 'small.test'])
  assert.deepEqual(logger.entries.at(-1)?.fields['trustDomains'], ['large.test'])
})

test('they are one resource for all who federate with the same domains, until a bundle is newer', () => {
  const federation = createWatch<ReadonlyMap<string, TrustBundle>>(new Map([['a.test', bundleOf('a.test')]]))
  const resourceOf = createFederatedBundles(federation, createRecordingLogger())
  const first = resourceOf(['a.test'])
  assert.equal(resourceOf(['a.test']), first)
  federation.set(new Map([['a.test', bundleOf('a.test')]]))
  assert.notEqual(resourceOf(['a.test']).revision, first.revision)
})
