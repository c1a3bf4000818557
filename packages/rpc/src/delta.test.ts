import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseSpiffeId } from '@picket/identity'
import fc from 'fast-check'
import { applyDelta, createDelta } from './delta.ts'
import { encodeEndpoints } from './payloads.ts'

const MOST = 64 * 1024 * 1024

function endpoints(...ports: number[]): Buffer {
  const spiffeId = parseSpiffeId('spiffe://bank.test/payments')
  const addresses = ports.map((port) => ({ host: '10.0.0.1', port }))
  return encodeEndpoints({ services: [{ name: 'payments', spiffeId, addresses }] })
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

suite('a delta', () => {
  test('of a sidecar that joins a thousand others is a few lines', () => {
    const before = endpoints(...range(1000, 2000))
    const after = endpoints(...range(1000, 1500), 3000, ...range(1500, 2000))
    const delta = createDelta(before, after)!
    assert.ok(delta.length < 100, `${delta.length}`)
    assert.ok(applyDelta(before, delta, MOST).equals(after))
  })

  test('is none where little is the same, or where the base is nothing', () => {
    assert.equal(createDelta(endpoints(1, 2, 3), endpoints(4, 5, 6, 7)), undefined)
    assert.equal(createDelta(Buffer.alloc(0), endpoints(1)), undefined)
    assert.equal(createDelta(endpoints(1), Buffer.alloc(0)), undefined)
  })

  test('gives the target for any two texts of lines', () => {
    const line = fc.oneof(fc.constantFrom('a', 'b', ']},', ''), fc.string({ unit: 'binary', maxLength: 30 }))
    const text = fc.array(line, { maxLength: 60 }).map((lines) => Buffer.from(lines.join('\n')))
    let made = 0
    fc.assert(
      fc.property(text, text, fc.nat(60), (base, more, at) => {
        const target = Buffer.concat([base.subarray(0, at), more, base.subarray(at), base])
        const delta = createDelta(base, target)
        if (!delta) return
        made += 1
        assert.ok(delta.length <= target.length / 2)
        assert.ok(applyDelta(base, delta, MOST).equals(target))
      }),
      { numRuns: 500 },
    )
    assert.ok(made > 20, `${made}`)
  })

  const base = Buffer.from('one\ntwo\nthree')
  const refused: Record<string, string> = {
    nothing: '',
    'another head': 'picket-delta 2\nc 0 1\n',
    'an unknown step': 'picket-delta 1\nx 0 1\n',
    'a copy beyond the base': 'picket-delta 1\nc 2 2\n',
    'a copy of nothing': 'picket-delta 1\nc 0 0\n',
    'a copy without a count': 'picket-delta 1\nc 0\n',
    'a copy with too much': 'picket-delta 1\nc 0 1 1\n',
    'a negative place': 'picket-delta 1\nc -1 1\n',
    'more bytes than there are': 'picket-delta 1\ni 5\nabc',
    'no bytes': 'picket-delta 1\ni 0\n',
    'a step that does not end': 'picket-delta 1\nc 0 1',
    'a step without end': `picket-delta 1\nc ${'0'.repeat(100)} 1\n`,
    'a huge number': 'picket-delta 1\nc 0 9999999999\n',
  }
  for (const [name, text] of Object.entries(refused)) {
    test(`with ${name} is refused`, () => {
      assert.throws(() => applyDelta(base, Buffer.from(text), MOST), { code: 'ERR_RPC_INVALID' })
    })
  }

  test('that copies without end is stopped at the limit', () => {
    const bomb = Buffer.from(`picket-delta 1\n${'c 0 3\n'.repeat(1000)}`)
    assert.throws(() => applyDelta(base, bomb, 5000), { code: 'ERR_RPC_INVALID', message: /too large/ })
  })

  test('of any bytes is applied or refused with the own error', () => {
    const step = fc.oneof(
      fc.tuple(fc.nat(4), fc.nat(4)).map(([first, count]) => `c ${first} ${count}\n`),
      fc.string({ maxLength: 10 }).map((text) => `i ${text.length}\n${text}`),
      fc.string({ maxLength: 10 }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        try {
          applyDelta(base, Buffer.from(`picket-delta 1\n${steps.join('')}`), 1000)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_RPC_INVALID')
        }
      }),
    )
  })
})
