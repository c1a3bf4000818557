import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PolicyError } from './error.ts'
import { parseManifest } from './manifest.ts'

const GOOD = {
  revision: '2026-03-01.1',
  roots: ['picket/authz', 'roles'],
  wasm: [
    { entrypoint: 'picket/authz/allow', module: '/policy.wasm' },
    { entrypoint: 'picket/authz/reason', module: 'policy.wasm', annotations: [] },
  ],
  rego_version: 1,
  metadata: {
    picket: {
      compiler: 'opa 1.22.2',
      sources: 'abc',
      builtins: ['sprintf'],
      input: { 'picket/authz/allow': [['caller', 'path'], []] },
    },
    other: 1,
  },
}

const parse = (manifest: unknown): ReturnType<typeof parseManifest> =>
  parseManifest(Buffer.from(JSON.stringify(manifest)))

function refused(bytes: Uint8Array): void {
  assert.throws(
    () => parseManifest(bytes),
    (thrown) => thrown instanceof PolicyError && thrown.code === 'ERR_BUNDLE_MANIFEST',
  )
}

test('a manifest comes out with what Picket reads of it', () => {
  assert.deepEqual(parse(GOOD), {
    revision: '2026-03-01.1',
    roots: ['picket/authz', 'roles'],
    entrypoints: ['picket/authz/allow', 'picket/authz/reason'],
    metadata: GOOD.metadata.picket,
  })
})

test('a bundle that OPA alone has built has no metadata of ours', () => {
  const { metadata: _, ...plain } = GOOD
  assert.equal(parse(plain).metadata, undefined)
  assert.equal(parse({ ...GOOD, metadata: {} }).metadata, undefined)
})

describe('refused as a manifest', () => {
  const picket = GOOD.metadata.picket
  const rejected: readonly (readonly [why: string, change: object])[] = [
    ['no revision', { revision: undefined }],
    ['an empty revision, as OPA writes it by default', { revision: '' }],
    ['a revision with a line break', { revision: 'a\nb' }],
    ['a revision that is too long', { revision: 'a'.repeat(129) }],
    ['no roots, which means all of data', { roots: undefined }],
    ['the root that is all of data', { roots: [''] }],
    ['no root at all', { roots: [] }],
    ['a root that is no path', { roots: ['/picket'] }],
    ['a root within a root', { roots: ['picket', 'picket/authz'] }],
    ['a root twice', { roots: ['picket/authz', 'picket/authz'] }],
    ['a root that is no string', { roots: [1] }],
    ['no module', { wasm: undefined }],
    ['no entrypoint', { wasm: [] }],
    ['an entrypoint twice', { wasm: [GOOD.wasm[0], GOOD.wasm[0]] }],
    ['an entrypoint outside the roots', { wasm: [{ entrypoint: 'other/allow', module: '/policy.wasm' }] }],
    ['an entrypoint that only begins like a root', { wasm: [{ entrypoint: 'picket/authzx', module: '/policy.wasm' }] }],
    ['an entrypoint that is no path', { wasm: [{ entrypoint: 'picket authz', module: '/policy.wasm' }] }],
    ['another module', { wasm: [{ entrypoint: 'picket/authz/allow', module: '/other.wasm' }] }],
    ['Rego v0', { rego_version: 0 }],
    ['metadata that is no object', { metadata: [] }],
    ['metadata without a compiler', { metadata: { picket: { ...picket, compiler: undefined } } }],
    ['metadata without builtins', { metadata: { picket: { ...picket, builtins: undefined } } }],
    ['metadata without input', { metadata: { picket: { ...picket, input: undefined } } }],
    ['input references that are no lists', { metadata: { picket: { ...picket, input: { 'a/b': ['caller'] } } } }],
    ['a source digest that is no string', { metadata: { picket: { ...picket, sources: 1 } } }],
  ]
  for (const [why, change] of rejected) {
    test(why, () => refused(Buffer.from(JSON.stringify({ ...GOOD, ...change }))))
  }

  test('what is not JSON, not UTF-8 or no object', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('{'),
      Buffer.from([0xff]),
      Buffer.from('null'),
      Buffer.from('[]'),
    ]) {
      refused(bytes)
    }
  })

  test('any other JSON, without ever throwing anything else', () => {
    fc.assert(fc.property(fc.json(), (json) => refused(Buffer.from(json))))
  })
})
