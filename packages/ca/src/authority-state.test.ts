import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AuthoritySlots } from './authority-slots.ts'
import { encodeAuthorityState, parseAuthorityState } from './authority-state.ts'

const NOW = new Date('2026-01-01T00:00:00.000Z')
const one = {
  kind: 'x509',
  keyId: 'ab'.repeat(20),
  algorithm: 'ec-p256',
  state: 'active',
  tainted: false,
  preparedAt: NOW,
  activatedAt: NOW,
  notBefore: NOW,
  notAfter: new Date('2026-01-31T00:00:00.000Z'),
  upstream: false,
} as const
const slots: AuthoritySlots = {
  trustDomain: 'bank.test',
  sequence: 9_007_199_254_740_993n,
  svidAlgorithm: 'ml-dsa-65',
  rotation: {
    id: 'r1',
    kinds: ['x509', 'jwt'],
    algorithm: 'ml-dsa-65',
    svidAlgorithm: undefined,
    reason: 'emergency',
    retire: true,
    replaces: [one.keyId],
    startedAt: NOW,
    deadlineAt: NOW,
    quorum: 0.9,
  },
  authorities: [one, { ...one, kind: 'jwt' }],
}

test('what is written is read back, to the last digit', () => {
  assert.deepEqual(parseAuthorityState(encodeAuthorityState(slots)), slots)
  const idle = { ...slots, rotation: undefined }
  assert.deepEqual(parseAuthorityState(encodeAuthorityState(idle)), idle)
})

type Json = Record<string, unknown>
const plain = (): Json & { authorities: Json[]; rotation: Json } =>
  (JSON.parse(encodeAuthorityState(slots)) as { state: ReturnType<typeof plain> }).state

/** A file with a right checksum over a state that is wrong. */
function encodeAltered(alter: (state: ReturnType<typeof plain>) => unknown): string {
  const state = plain()
  const changed = alter(state) ?? state
  return JSON.stringify({ version: 1, sha256: hash('sha256', JSON.stringify(changed), 'hex'), state: changed })
}
const ofFirst =
  (changes: Json) =>
  (state: ReturnType<typeof plain>): void =>
    void Object.assign(state.authorities[0]!, changes)
const ofRotation =
  (changes: Json) =>
  (state: ReturnType<typeof plain>): void =>
    void Object.assign(state.rotation, changes)

const REJECTED: readonly (readonly [string, (state: ReturnType<typeof plain>) => unknown])[] = [
  ['a list as the state', () => []],
  ['an unknown member', (state) => void (state['secret'] = 1)],
  ['no trust domain', (state) => void delete state['trustDomain']],
  ['a trust domain that is no text', (state) => void (state['trustDomain'] = 7)],
  ['no sequence', (state) => void delete state['sequence']],
  ['a sequence that is a number', (state) => void (state['sequence'] = 7)],
  ['a negative sequence', (state) => void (state['sequence'] = '-1')],
  ['a sequence with a zero in front', (state) => void (state['sequence'] = '01')],
  ['a sequence without end', (state) => void (state['sequence'] = '9'.repeat(20))],
  ['an unknown algorithm of SVIDs', (state) => void (state['svidAlgorithm'] = 'rsa-1024')],
  ['no authorities', (state) => void (state.authorities = [])],
  ['authorities that are no list', (state) => void (state['authorities'] = {} as Json[])],
  ['an authority that is a text', (state) => void (state.authorities[0] = 'x' as unknown as Json)],
  ['no active X.509 authority', (state) => void state.authorities.shift()],
  ['no active JWT authority', (state) => void state.authorities.pop()],
  [
    'two active authorities',
    (state) => void state.authorities.push({ ...plain().authorities[0], keyId: '0'.repeat(40) }),
  ],
  [
    'two prepared authorities',
    (state) => {
      for (const keyId of ['1'.repeat(40), '2'.repeat(40)]) {
        const { activatedAt: _, ...rest } = plain().authorities[0]!
        state.authorities.push({ ...rest, keyId, state: 'prepared' })
      }
    },
  ],
  ['a key twice', (state) => void state.authorities.push({ ...plain().authorities[0], state: 'old' })],
  ['a hundred authorities', (state) => void state.authorities.push(...Array<Json>(100).fill(plain().authorities[0]!))],
  ['an unknown kind', ofFirst({ kind: 'wit' })],
  ['an unknown state', ofFirst({ state: 'retired' })],
  ['a key identifier that leads elsewhere', ofFirst({ keyId: '../../etc/passwd' })],
  ['a key identifier of upper case', ofFirst({ keyId: 'AB'.repeat(20) })],
  ['a key identifier with a line break', ofFirst({ keyId: `${'ab'.repeat(20)}\n` })],
  ['an unknown key algorithm', ofFirst({ algorithm: 'dsa' })],
  ['a JWT authority of Ed25519', (state) => void (state.authorities[1]!['algorithm'] = 'ed25519')],
  ['a JWT authority with an upstream', (state) => void (state.authorities[1]!['upstream'] = true)],
  ['a tainted active authority', ofFirst({ tainted: true })],
  ['tainted as a text', ofFirst({ tainted: 'false' })],
  ['an active authority that was never activated', (state) => void delete state.authorities[0]!['activatedAt']],
  ['an instant without a time', ofFirst({ notAfter: '2026-01-31' })],
  ['an instant in another zone', ofFirst({ notAfter: '2026-01-31T00:00:00.000+01:00' })],
  ['an instant that is a number', ofFirst({ notAfter: 1 })],
  ['a day that is none', ofFirst({ notAfter: '2026-02-30T00:00:00.000Z' })],
  ['a quorum above one', ofRotation({ quorum: 1.1 })],
  ['a negative quorum', ofRotation({ quorum: -0.1 })],
  ['a quorum that is a text', ofRotation({ quorum: '1' })],
  ['a rotation that replaces what is no key', ofRotation({ replaces: ['x'] })],
  ['a rotation that replaces too much', ofRotation({ replaces: [one.keyId, one.keyId, one.keyId] })],
  ['a rotation of an unknown reason', ofRotation({ reason: 'mood' })],
  ['a rotation of an unknown kind', ofRotation({ kinds: ['wit'] })],
  ['a rotation without a name', ofRotation({ id: '' })],
  ['a rotation with an unknown member', ofRotation({ force: true })],
]

for (const [what, alter] of REJECTED) {
  test(`refused: ${what}`, () => assert.throws(() => parseAuthorityState(encodeAltered(alter)), TypeError))
}

test('the table above alters a file that is otherwise good', () => {
  assert.deepEqual(parseAuthorityState(encodeAltered(() => undefined)), slots)
})

const FILES: readonly (readonly [string, (text: string) => string])[] = [
  ['emptied', () => ''],
  ['cut off', (text) => text.slice(0, -3)],
  ['doubled', (text) => text + text],
  ['of a later version', (text) => text.replace('"version": 1', '"version": 2')],
  ['with an unknown member', (text) => text.replace('"version": 1', '"version": 1, "more": 2')],
  ['without a checksum', (text) => text.replace(/"sha256": "[0-9a-f]+",/, '')],
  ['altered', (text) => text.replace('"retire": true', '"retire": false')],
  ['too long', (text) => text + ' '.repeat(300_000)],
  ['of null', () => 'null'],
  ['of a deep list', () => '['.repeat(5000)],
]

for (const [what, damage] of FILES) {
  test(`a file ${what} is refused`, () => {
    assert.throws(() => parseAuthorityState(damage(encodeAuthorityState(slots))), TypeError)
  })
}

test('any one character altered is refused, and never anything but a TypeError', () => {
  const text = encodeAuthorityState(slots)
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 33, max: 126 }), (index, code) => {
      const character = String.fromCharCode(code)
      if (/\s/.test(text[index]!) || text[index] === character) return
      assert.throws(() => parseAuthorityState(text.slice(0, index) + character + text.slice(index + 1)), TypeError)
    }),
  )
  fc.assert(fc.property(fc.json(), (json) => assert.throws(() => parseAuthorityState(json), TypeError)))
})
