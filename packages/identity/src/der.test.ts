import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanDer, TAG, type DerElement } from './der-element.ts'
import { DerReader, toDate, toOctets, toSmallInteger } from './der-reader.ts'
import { der, encodeDer, MAX_DER_BYTES, parseDer, survivesRoundTrip, toOid, type DerValue } from './der.ts'
import { IdentityError } from './error.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** `depth` sequences around nothing. */
function nested(depth: number): Buffer {
  let inner = Buffer.alloc(0)
  for (let level = 0; level < depth; level++) {
    const size = inner.length
    const header = size < 128 ? [0x30, size] : size < 256 ? [0x30, 0x81, size] : [0x30, 0x82, size >> 8, size & 255]
    inner = Buffer.concat([Buffer.from(header), inner])
  }
  return inner
}

const REFUSED = [
  ['nothing', hex('')],
  ['a tag alone', hex('30')],
  ['content that is cut off', hex('30 03 02 01')],
  ['a child that is longer than its parent', hex('30 03 02 02 01')],
  ['bytes after the end', hex('30 00 00')],
  ['a second element after the first', hex('02 01 01 02 01 01')],
  ['indefinite length', hex('30 80 02 01 01 00 00')],
  ['indefinite length inside', hex('30 07 30 80 02 01 01 00 00')],
  ['a long length for a short content', hex('30 81 03 02 01 01')],
  ['a length with a leading zero', hex(`30 82 00 80 ${'05 00'.repeat(64)}`)],
  ['a length of four octets', hex('04 84 00 00 00 01 00')],
  ['a length of 127 octets', hex('04 ff 01')],
  ['a padded positive integer', hex('02 02 00 01')],
  ['a padded negative integer', hex('02 02 ff 80')],
  ['an empty integer', hex('02 00')],
  ['a boolean of 01', hex('01 01 01')],
  ['a boolean of two octets', hex('01 02 ff ff')],
  ['an empty bit string', hex('03 00')],
  ['eight unused bits', hex('03 02 08 00')],
  ['unused bits in an empty bit string', hex('03 01 01')],
  ['unused bits that are set', hex('03 02 01 01')],
  ['a null with content', hex('05 01 00')],
  ['an empty object identifier', hex('06 00')],
  ['an object identifier that is cut off', hex('06 02 2a 86')],
  ['an object identifier with a padded arc', hex('06 03 2a 80 01')],
  ['an object identifier with a padded first arc', hex('06 02 80 2a')],
  ['a primitive sequence', hex('10 00')],
  ['a constructed octet string', hex('24 04 04 02 00 00')],
  ['an end-of-contents marker', hex('30 02 00 00')],
  ['a tag number above 30', hex('1f 1f 00')],
  ['a BMP string of an odd length', hex('1e 03 00 41 00')],
  ['a universal string of three octets', hex('1c 03 00 00 41')],
  ['a set out of order', hex('31 06 02 01 02 02 01 01')],
  ['25 levels', nested(26)],
  ['5 000 levels', nested(5000)],
  [
    'more elements than any certificate has',
    encodeDer(der.sequence(...Array.from({ length: 2048 }, () => der.boolean(true)))),
  ],
  ['more than 64 KiB', encodeDer(der.octets(Buffer.alloc(MAX_DER_BYTES)))],
] as const

for (const [what, bytes] of REFUSED) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseDer(bytes), { code: 'ERR_DER' })
    if (bytes.length > MAX_DER_BYTES) return
    assert.throws(() => scanDer(bytes), { code: 'ERR_DER' })
  })
}

/** forge does not look at the class: number 2 is an INTEGER to it and is shortened, number 30 a BMPString. */
const isMistakenByForge = ({ tag, children }: DerElement): boolean =>
  ((tag & 0xc0) !== 0 && [0x02, 0x1e].includes(tag & 0x3f)) || children.some(isMistakenByForge)

test('the bound on elements is the caller’s to raise', () => {
  const bytes = encodeDer(der.sequence(...Array.from({ length: 3000 }, () => der.boolean(true))))
  assert.equal(parseDer(bytes, MAX_DER_BYTES, { elements: 3001 }).children.length, 3000)
  assert.throws(() => parseDer(bytes, MAX_DER_BYTES, { elements: 3000 }), { code: 'ERR_DER' })
})

test('reads 24 levels and 64 KiB', () => {
  assert.equal(parseDer(nested(25)).tag, TAG.sequence)
  assert.equal(parseDer(encodeDer(der.octets(Buffer.alloc(MAX_DER_BYTES - 4)))).content.length, MAX_DER_BYTES - 4)
})

test('keeps its own copy of what it has read', () => {
  const bytes = hex('30 03 02 01 05')
  const element = parseDer(bytes)
  bytes.fill(0)
  assert.deepEqual(element.der, hex('30 03 02 01 05'))
})

const atom: fc.Arbitrary<DerValue> = fc.oneof(
  fc.boolean().map(der.boolean),
  fc.uint8Array({ maxLength: 300 }).map((octets) => der.octets(octets)),
  fc.uint8Array({ maxLength: 20 }).map((octets) => der.unsigned(octets)),
  fc.uint8Array({ maxLength: 20 }).map((octets) => der.bits(octets)),
  fc.string().map(der.utf8),
  fc.constantFrom('1.2.840.10045.4.3.2', '2.5.29.17', '1.3.101.112').map(der.oid),
)
const { value: structure } = fc.letrec<{ value: DerValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    atom,
    fc.array(tie('value'), { maxLength: 4 }).map((items) => der.sequence(...items)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => der.wrapped(0, ...items)),
  ),
}))

test('whatever is encoded is read back, byte for byte', () => {
  fc.assert(
    fc.property(structure, (value) => {
      const bytes = encodeDer(value)
      const element = parseDer(bytes)
      assert.deepEqual(element.der, bytes)
      assert.deepEqual(encodeDer(der.encoded(element.der)), bytes)
    }),
  )
})

const damaged = fc.tuple(structure, fc.nat(), fc.nat({ max: 255 })).map(([value, at, octet]) => {
  const bytes = encodeDer(value)
  bytes[at % bytes.length] = octet
  return bytes
})
/** Short runs of the octets on which DER's rules turn. */
const tricky = fc.array(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 0x7f, 0x80, 0x81, 0x82, 0xff, 0x30, 0x31), {
  maxLength: 12,
})
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
  tricky.map((octets) => Buffer.from(octets)),
  tricky.map((octets) => Buffer.from([0x30, octets.length, ...octets])),
  damaged,
)

test('arbitrary and damaged bytes are read or give ERR_DER, nothing else', () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      try {
        assert.deepEqual(parseDer(bytes).der, bytes)
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError, String(thrown))
        assert.equal(thrown.code, 'ERR_DER')
      }
    }),
    { numRuns: 2000 },
  )
})

test('what the scanner accepts survives forge’s decode and re-encode, byte for byte', () => {
  let accepted = 0
  fc.assert(
    fc.property(hostile, (bytes) => {
      const element = scannedOrUndefined(bytes)
      if (!element || isMistakenByForge(element)) return
      accepted++
      assert.ok(survivesRoundTrip(bytes), bytes.toString('hex'))
    }),
    { numRuns: 5000 },
  )
  assert.ok(accepted > 500, `${accepted} were accepted`)
})

function scannedOrUndefined(bytes: Buffer): DerElement | undefined {
  try {
    return scanDer(bytes)
  } catch {
    return undefined
  }
}

test('object identifiers are read as they are written', () => {
  const arcs = fc.tuple(
    fc.constantFrom('0.39', '1.2', '2.0'),
    fc.array(fc.nat({ max: 2 ** 31 - 1 }), { maxLength: 12 }),
  )
  fc.assert(
    fc.property(arcs, ([first, rest]) => {
      const dotted = [first, ...rest].join('.')
      assert.equal(toOid(parseDer(encodeDer(der.oid(dotted)))), dotted)
    }),
  )
  assert.equal(toOid(parseDer(hex('06 03 88 37 03'))), '2.999.3')
})

test('fields are taken in order, by type, and to the end', () => {
  const reader = new DerReader(parseDer(hex('30 06 02 01 05 01 01 ff')), TAG.sequence, 'a thing')
  assert.equal(reader.takeIf(TAG.oid), undefined)
  assert.equal(toSmallInteger(reader.take(TAG.integer)), 5)
  assert.throws(() => reader.end(), { code: 'ERR_DER' })
  assert.throws(() => reader.take(TAG.oid), { code: 'ERR_DER' })
  assert.equal(reader.takeFlag(), true)
  reader.end()
  assert.throws(() => new DerReader(parseDer(hex('31 00')), TAG.sequence, 'a thing'), { code: 'ERR_DER' })
})

test('a default value that is encoded all the same is refused', () => {
  const reader = new DerReader(parseDer(hex('30 03 01 01 00')), TAG.sequence, 'a thing')
  assert.throws(() => reader.takeFlag(), /default value/)
})

test('numbers, octets and object identifiers out of bounds are refused', () => {
  assert.throws(() => toSmallInteger(parseDer(hex('02 01 ff'))), { code: 'ERR_DER' })
  assert.throws(() => toSmallInteger(parseDer(hex('02 05 01 00 00 00 00'))), { code: 'ERR_DER' })
  assert.throws(() => toOctets(parseDer(hex('03 02 01 00'))), { code: 'ERR_DER' })
  assert.equal(toOid(parseDer(hex(`06 40 2a ${'01'.repeat(63)}`))), `1.2${'.1'.repeat(63)}`)
  assert.throws(() => toOid(parseDer(hex(`06 41 2a ${'01'.repeat(64)}`))), { code: 'ERR_DER' })
  assert.throws(() => toOid(parseDer(hex('06 0a 2a ff ff ff ff ff ff ff ff 7f'))), { code: 'ERR_DER' })
})

test('instants are written and read to the second, on both sides of 2050', () => {
  const span = { min: new Date('1950-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }
  fc.assert(
    fc.property(fc.date(span), (instant) => {
      const element = parseDer(encodeDer(der.time(instant)))
      assert.equal(element.tag, instant.getUTCFullYear() < 2050 ? TAG.utcTime : TAG.generalizedTime)
      assert.equal(toDate(element).getTime(), Math.floor(instant.getTime() / 1000) * 1000)
    }),
  )
})

test('an instant that no certificate can hold is not written', () => {
  for (const text of ['1949-12-31T23:59:59Z', '+010000-01-01T00:00:00Z', 'nonsense']) {
    assert.throws(() => der.time(new Date(text)), { code: 'ERR_DER' })
  }
})

for (const text of [
  '2601010000Z',
  '260101000000+0100',
  '260230000000Z',
  '261301000000Z',
  '260101240000Z',
  '26010100000Z',
  '',
]) {
  test(`refuses the UTC time "${text}"`, () => {
    const element = parseDer(Buffer.concat([Buffer.of(TAG.utcTime, text.length), Buffer.from(text)]))
    assert.throws(() => toDate(element), { code: 'ERR_DER' })
  })
}

for (const text of ['20260101000000', '20260101000000.5Z', '00000101000000Z1', '20260229000000Z']) {
  test(`refuses the generalized time "${text}"`, () => {
    const element = parseDer(Buffer.concat([Buffer.of(TAG.generalizedTime, text.length), Buffer.from(text)]))
    assert.throws(() => toDate(element), { code: 'ERR_DER' })
  })
}
