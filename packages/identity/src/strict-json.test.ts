import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdentityError } from './error.ts'
import { parseStrictJson } from './strict-json.ts'

const limits = { maxLength: 1_000_000, maxDepth: 100 }
const parse = (document: string | Uint8Array): unknown => parseStrictJson(document, limits)
const refused = { code: 'ERR_JSON' }

test('agrees with JSON.parse on every document without members that are there twice', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), fc.nat(4), (value, indent) => {
      const json = JSON.stringify(value, undefined, indent)
      assert.deepEqual(parse(json), JSON.parse(json))
      assert.deepEqual(parse(Buffer.from(json)), JSON.parse(json))
    }),
    { numRuns: 500 },
  )
})

test('whatever it takes, JSON.parse takes, with the same value', () => {
  const fragments = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"\\u0061"',
    '"\\',
    '1',
    '-',
    '0',
    '.5',
    'e9',
    ' ',
    'null',
    'tru',
  ]
  const texts = fc.array(fc.constantFrom(...fragments), { maxLength: 12 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(texts, fc.string({ unit: 'binary' })), (text) => {
      let value: unknown
      try {
        value = parse(text)
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError && thrown.code === 'ERR_JSON', String(thrown))
        return
      }
      assert.deepEqual(value, JSON.parse(text))
    }),
    { numRuns: 3000 },
  )
})

test('takes what JSON.parse takes and nothing else, but for members that are there twice', () => {
  const fragments = ['{', '}', '[', ']', ',', ':', '"a"', '"b"', '1', '-', '0', ' ', 'null', '\t']
  const texts = fc.array(fc.constantFrom(...fragments), { maxLength: 10 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(texts, (text) => {
      const [ours, theirs] = [() => parse(text), () => JSON.parse(text) as unknown].map((read) => {
        try {
          return { value: read() }
        } catch (thrown) {
          return { message: String(thrown) }
        }
      })
      if (ours!.message?.includes('there twice') !== true) assert.deepEqual(ours!.value, theirs!.value)
    }),
    { numRuns: 3000 },
  )
})

test('members named like those of every object are members like others', () => {
  const value = parse('{"__proto__": {"a": 1}, "constructor": 2}') as Record<string, unknown>
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
})

test('integers arrive exact on request, and only integers', () => {
  const read = parseStrictJson('[9007199254740993, -1, 0, 1.0, 1e2]', { maxLength: 100, integers: 'bigint' })
  assert.deepEqual(read, [9007199254740993n, -1n, 0n, 1, 100])
})

const REFUSED: readonly (readonly [string, string | Uint8Array])[] = [
  ['nothing', ''],
  ['space alone', ' \n'],
  ['two values', '1 2'],
  ['a member that is there twice', '{"a": 1, "a": 1}'],
  ['a member that is there twice, once behind an escape', '{"a": 1, "\\u0061": 2}'],
  ['a member that is there twice, deep down', '[{"b": {"a": 1, "c": 2, "a": 3}}]'],
  ['"__proto__" twice', '{"__proto__": 1, "__proto__": 2}'],
  ['a comma at the end', '[1,]'],
  ['a comma at the end of an object', '{"a": 1,}'],
  ['a name without quotes', '{a: 1}'],
  ['single quotes', "'a'"],
  ['a comment', '/* a */ 1'],
  ['a leading zero', '01'],
  ['a leading plus', '+1'],
  ['a point without digits', '1.'],
  ['NaN', 'NaN'],
  ['a number beyond all doubles', '1e999'],
  ['a number of a hundred digits', '1'.repeat(100)],
  ['a text that does not end', '"a'],
  ['a text that ends behind an escape', '"a\\"'],
  ['a line break in a text', '"a\nb"'],
  ['an unknown escape', '"\\x41"'],
  ['half a surrogate pair', '"\ud800"'],
  ['half a surrogate pair behind an escape', '"\\ud800"'],
  ['half a surrogate pair in a name', '{"\\udc00": 1}'],
  ['a byte order mark', '\ufeff1'],
  ['a byte order mark in bytes', Buffer.from('\ufeff1')],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['a space of another alphabet', '\u00a01'],
  ['objects 101 deep', '{"a":'.repeat(101) + '1' + '}'.repeat(101)],
  ['arrays a hundred thousand deep', '['.repeat(100_000)],
]

for (const [what, document] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parse(document), refused))
}

test('length, depth and the number of values are bounded, exactly', () => {
  const read = (document: string, options: object): unknown => parseStrictJson(document, { maxLength: 9, ...options })
  assert.deepEqual(read('[[[1,2]]]', { maxDepth: 3, maxValues: 5 }), [[[1, 2]]])
  assert.throws(() => read('[[[1,2]]]', { maxDepth: 2 }), refused)
  assert.throws(() => read('[[[1,2]]]', { maxValues: 4 }), refused)
  assert.throws(() => read('[[[1,2]]] ', {}), refused)
})

test('depth is how deep, not how many', () => {
  assert.deepEqual(parseStrictJson('[[],[],[{}]]', { maxLength: 99, maxDepth: 3 }), [[], [], [{}]])
})

test('a text of escapes alone is read', () => {
  assert.equal((parse(`"${'\\\\'.repeat(400_000)}"`) as string).length, 400_000)
  assert.throws(() => parse(`"${'\\'.repeat(800_001)}"`), refused)
  assert.throws(() => parse(`${'"\\"'.repeat(100_000)}`), refused)
})

test('the complaint says where, and nothing of the text', () => {
  assert.throws(
    () => parse('{"secret": hunter2}'),
    (thrown) => !/hunter2|secret/.test(String(thrown)),
  )
})
