import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { packTar, type TarHeader } from 'modern-tar'
import { BUNDLE_LIMITS, bundleFiles, loadPolicyBundle } from './bundle.ts'
import { writeArchive } from './archive.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'

const MANIFEST = {
  revision: 'r1',
  roots: ['picket/authz', 'roles'],
  wasm: [{ entrypoint: 'picket/authz/allow', module: '/policy.wasm' }],
  rego_version: 1,
}
const WASM = Buffer.from('not looked into here')
const DATA = Buffer.from('{"roles":{"a":1}}')

const good = (): Promise<Buffer> => writeArchive(bundleFiles(MANIFEST, WASM, DATA))

type Entry = readonly [name: string, body: string | Uint8Array, header?: Partial<TarHeader>]

async function tarGz(...entries: readonly Entry[]): Promise<Buffer> {
  const tar = await packTar(
    entries.map(([name, body, header]) => ({ header: { name, size: Buffer.byteLength(body), ...header }, body })),
  )
  return gzipSync(tar)
}

const whole: readonly Entry[] = [
  ['/.manifest', JSON.stringify(MANIFEST)],
  ['/policy.wasm', WASM],
  ['/data.json', DATA],
]
const without = (name: string): Entry[] => whole.filter(([other]) => other !== name)
const withData = (data: string | Uint8Array): Entry[] => [...without('/data.json'), ['/data.json', data]]

async function refusedWith(bytes: Uint8Array, code: PolicyErrorCode, limits = BUNDLE_LIMITS): Promise<void> {
  await assert.rejects(loadPolicyBundle(bytes, limits), (thrown) => {
    assert(thrown instanceof PolicyError, String(thrown))
    assert.equal(thrown.code, code, thrown.message)
    return true
  })
}

describe('a policy bundle', () => {
  test('comes out with its parts and the digest of its bytes', async () => {
    const bytes = await good()
    const bundle = await loadPolicyBundle(bytes)
    assert.equal(bundle.revision, 'r1')
    assert.match(bundle.digest, /^[0-9a-f]{64}$/)
    assert.deepEqual(bundle.entrypoints, ['picket/authz/allow'])
    assert.deepEqual(bundle.data, { roles: { a: 1 } })
    assert.deepEqual(Buffer.from(bundle.wasm), WASM)
    assert.equal(bundle.metadata, undefined)
    assert.deepEqual(Buffer.from(bundle.bytes), bytes)
  })

  test('may do without data, and may carry its Rego and folders along', async () => {
    const bytes = await tarGz(...without('/data.json'), ['a/b.rego', 'package a'], ['a/', '', { type: 'directory' }])
    assert.deepEqual((await loadPolicyBundle(bytes)).data, {})
  })

  test('written twice has the same bytes', async () => {
    assert.deepEqual(await good(), await good())
  })
})

describe('refused as a bundle', () => {
  const rejected: readonly (readonly [why: string, PolicyErrorCode, () => Uint8Array | Promise<Uint8Array>])[] = [
    ['nothing at all', 'ERR_BUNDLE_FORMAT', () => Buffer.alloc(0)],
    ['a text file', 'ERR_BUNDLE_FORMAT', () => Buffer.from('package picket.authz\n')],
    ['a tar without gzip', 'ERR_BUNDLE_FORMAT', async () => gunzipSync(await good())],
    ['gzip of something else', 'ERR_BUNDLE_FORMAT', () => gzipSync(Buffer.alloc(2048, 0x41))],
    ['gzip of nothing', 'ERR_BUNDLE_TRUNCATED', () => gzipSync(Buffer.alloc(0))],
    ['half a bundle', 'ERR_BUNDLE_TRUNCATED', async () => (await good()).subarray(0, 120)],
    ['all but its last byte', 'ERR_BUNDLE_TRUNCATED', async () => (await good()).subarray(0, -1)],
    [
      'a whole gzip of half a tar',
      'ERR_BUNDLE_TRUNCATED',
      async () => gzipSync(gunzipSync(await good()).subarray(0, 700)),
    ],
    ['bytes behind its end', 'ERR_BUNDLE_FORMAT', async () => Buffer.concat([await good(), Buffer.from('more')])],
    [
      'a flipped checksum',
      'ERR_BUNDLE_FORMAT',
      async () => {
        const bytes = await good()
        bytes[bytes.length - 6]! ^= 1
        return bytes
      },
    ],
    ['no manifest', 'ERR_BUNDLE_MANIFEST', () => tarGz(...without('/.manifest'))],
    ['no module', 'ERR_BUNDLE_WASM', () => tarGz(...without('/policy.wasm'))],
    ['the same name twice', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/data.json', DATA])],
    ['the same name in other words', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['./data.json', DATA])],
    ['a file that it has no use for', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/install.sh', ''])],
    ['a second data document', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/a/data.json', '{}'])],
    ['a signature that nobody would check', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/.signatures.json', '{}'])],
    ['a patch', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/patch.json', '{}'])],
    ['a climbing name', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['../x.rego', ''])],
    ['a climbing name further down', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/a/../../x.rego', ''])],
    ['an empty segment', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['//x.rego', ''])],
    ['a backslash', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['a\\x.rego', ''])],
    [
      'a symbolic link',
      'ERR_BUNDLE_ENTRY',
      () => tarGz(...without('/data.json'), ['/data.json', '', { type: 'symlink', linkname: '/etc/passwd' }]),
    ],
    [
      'a hard link',
      'ERR_BUNDLE_ENTRY',
      () => tarGz(...whole, ['/x.rego', '', { type: 'link', linkname: 'data.json' }]),
    ],
    ['a device', 'ERR_BUNDLE_ENTRY', () => tarGz(...whole, ['/x.rego', '', { type: 'character-device' }])],
    ['data that is no JSON', 'ERR_BUNDLE_DATA', () => tarGz(...withData('{'))],
    ['data that is no object', 'ERR_BUNDLE_DATA', () => tarGz(...withData('[]'))],
    ['data that is no UTF-8', 'ERR_BUNDLE_DATA', () => tarGz(...withData(Buffer.from([0x7b, 0xff, 0x7d])))],
    ['data with a byte order mark', 'ERR_BUNDLE_DATA', () => tarGz(...withData('\ufeff{}'))],
    ['data outside its roots', 'ERR_BUNDLE_DATA', () => tarGz(...withData('{"other":1}'))],
    ['data above its roots', 'ERR_BUNDLE_DATA', () => tarGz(...withData('{"picket":{"other":1}}'))],
    ['data with a scalar above a root', 'ERR_BUNDLE_DATA', () => tarGz(...withData('{"picket":1}'))],
    ['data with a slash in a key', 'ERR_BUNDLE_DATA', () => tarGz(...withData('{"picket/authz":1}'))],
  ]
  for (const [why, code, make] of rejected) {
    test(why, async () => refusedWith(await make(), code))
  }

  test('data below a root is within it', async () => {
    const { data } = await loadPolicyBundle(await tarGz(...withData('{"picket":{"authz":{"x":1}}}')))
    assert.deepEqual(data, { picket: { authz: { x: 1 } } })
  })
})

describe('limits', () => {
  const limited = async (bytes: Buffer, limits: Partial<typeof BUNDLE_LIMITS>): Promise<void> =>
    refusedWith(bytes, 'ERR_BUNDLE_TOO_LARGE', { ...BUNDLE_LIMITS, ...limits })

  test('compressed size', async () => {
    const bytes = await good()
    await limited(bytes, { compressedBytes: bytes.length - 1 })
    await loadPolicyBundle(bytes, { ...BUNDLE_LIMITS, compressedBytes: bytes.length })
  })

  test('unpacked size, without unpacking it all', async () => {
    const bomb = gzipSync(Buffer.alloc(BUNDLE_LIMITS.uncompressedBytes + 1))
    assert(bomb.length < 200_000)
    await refusedWith(bomb, 'ERR_BUNDLE_TOO_LARGE')
  })

  test('number of files', async () => limited(await good(), { entries: 2 }))

  test('size of the data', async () => limited(await good(), { dataBytes: DATA.length - 1 }))
})

test('damaged bundles are refused with a code, whatever the damage', async () => {
  const bytes = await good()
  const tar = gunzipSync(bytes)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(tar.length),
      fc.boolean(),
      async (changes, cut, isCut) => {
        const damaged = Buffer.from(tar)
        for (const [at, byte] of changes) damaged[at] = byte
        const outcome = await loadPolicyBundle(gzipSync(isCut ? damaged.subarray(0, cut) : damaged)).catch(
          (thrown: unknown) => thrown,
        )
        assert(outcome instanceof PolicyError || (typeof outcome === 'object' && outcome !== null && 'wasm' in outcome))
      },
    ),
    { numRuns: 300 },
  )
})
