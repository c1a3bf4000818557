import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { CHUNK_BYTES, chunkResource, createReassembler } from './chunks.ts'
import type { Resource, ResourceChunk } from './messages.ts'

function resource(bytes: Buffer, revision = 'r1'): Resource {
  return { kind: 'policy-bundle', revision, bytes }
}

/** Pieces of any size, as a sender that cuts differently would make them. */
function cut(bytes: Buffer, sizes: readonly number[]): ResourceChunk[] {
  const contents: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    if (at >= bytes.length) break
    contents.push(bytes.subarray(at, at + size))
    at += size
  }
  if (at < bytes.length || bytes.length === 0) contents.push(bytes.subarray(at))
  const sha256 = createHash('sha256').update(bytes).digest()
  return contents.map((content, index) => {
    return {
      kind: 'policy-bundle',
      revision: 'r1',
      index,
      count: contents.length,
      totalBytes: bytes.length,
      sha256,
      content,
      baseRevision: '',
    }
  })
}

suite('chunks', () => {
  for (const bytes of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2.5 * CHUNK_BYTES]) {
    test(`a resource of ${bytes} bytes comes out as it went in`, () => {
      const sent = resource(Buffer.alloc(bytes, 'abc'))
      const reassembler = createReassembler()
      const chunks = chunkResource(sent)
      assert.equal(chunks.length, Math.max(1, Math.ceil(bytes / CHUNK_BYTES)))
      const received = chunks.map((chunk) => reassembler.accept(chunk))
      assert.deepEqual(received.slice(0, -1), Array(chunks.length - 1).fill(undefined))
      assert.deepEqual(received.at(-1), sent)
    })
  }

  test('any cut into pieces gives the same resource, several in a row on one stream', () => {
    const reassembler = createReassembler()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.integer({ min: 1, max: 90 })), (bytes, sizes) => {
        const received = cut(Buffer.from(bytes), sizes).map((chunk) => reassembler.accept(chunk))
        assert.deepEqual(received.at(-1)?.bytes, Buffer.from(bytes))
        assert.ok(received.slice(0, -1).every((result) => result === undefined))
      }),
    )
  })

  test('a change to any field of any piece is refused', () => {
    const changes: ((chunk: ResourceChunk) => Partial<ResourceChunk>)[] = [
      () => ({ kind: 'endpoints' }),
      ({ revision }) => ({ revision: `${revision}'` }),
      ({ index }) => ({ index: index + 1 }),
      ({ index }) => ({ index: index - 1 }),
      ({ count }) => ({ count: count + 1 }),
      ({ count }) => ({ count: count - 1 }),
      ({ totalBytes }) => ({ totalBytes: totalBytes + 1 }),
      ({ totalBytes }) => ({ totalBytes: totalBytes - 1 }),
      ({ sha256 }) => ({ sha256: Buffer.from(sha256.map((byte) => byte ^ 1)) }),
      ({ content }) => ({ content: Buffer.from(content.map((byte) => byte ^ 1)) }),
      ({ content }) => ({ content: content.subarray(1) }),
      ({ content }) => ({ content: Buffer.concat([content, content]) }),
      () => ({ content: Buffer.alloc(0) }),
    ]
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 3, maxLength: 60 }),
        fc.nat(),
        fc.constantFrom(...changes),
        (bytes, pick, change) => {
          const chunks = cut(Buffer.from(bytes), [1, 7, 20])
          const at = pick % chunks.length
          const changed = chunks.map((chunk, index) => (index === at ? { ...chunk, ...change(chunk) } : chunk))
          const reassembler = createReassembler()
          let whole: Resource | undefined
          try {
            for (const chunk of changed) whole = reassembler.accept(chunk) ?? whole
          } catch (thrown) {
            assert.equal((thrown as { code?: string }).code, 'ERR_RPC_INVALID')
            return
          }
          // A single piece may truly be of another kind or revision: nothing contradicts it.
          const consistent = chunks.length === 1 && ['kind', 'revision'].some((key) => key in change(chunks[0]!))
          assert.ok(whole === undefined || consistent)
        },
      ),
    )
  })

  const [piece] = chunkResource(resource(Buffer.from('abc')))
  const refused: [string, Partial<ResourceChunk>][] = [
    ['more bytes than the limit', { totalBytes: 101 }],
    ['no pieces', { count: 0 }],
    ['pieces without end', { count: 5000 }],
    ['a first piece that is not the first', { index: 1, count: 2 }],
    ['more bytes than announced', { content: Buffer.from('abcd') }],
    ['a piece over 1 MiB', { content: Buffer.alloc(CHUNK_BYTES + 1) }],
    ['another content', { content: Buffer.from('abd') }],
    ['a short hash', { sha256: Buffer.from('ab') }],
  ]
  for (const [what, change] of refused) {
    test(`refuses ${what}`, () => {
      const reassembler = createReassembler(100)
      assert.throws(() => reassembler.accept({ ...piece!, ...change }), { code: 'ERR_RPC_INVALID' })
    })
  }
})
