import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { RevocationSubject } from '@picket/identity'
import fc from 'fast-check'
import { encodeRevocations, parseRevocations } from './revocations-payload.ts'

const SUBJECTS: readonly RevocationSubject[] = [
  { kind: 'authority-key', value: 'ab01' },
  { kind: 'serial', value: '0a0b' },
  { kind: 'spiffe-id', value: 'spiffe://bank.test/payments' },
]

suite('revocations', () => {
  test('are read as they were written', () => {
    const crl = Buffer.from([0x30, 0x00])
    assert.deepEqual(parseRevocations(encodeRevocations({ subjects: SUBJECTS, crl })), { subjects: SUBJECTS, crl })
    const none = { subjects: [], crl: undefined }
    assert.deepEqual(parseRevocations(encodeRevocations(none)), none)
  })

  test('are the same bytes in whatever order they were made', () => {
    const reversed = encodeRevocations({ subjects: SUBJECTS.toReversed(), crl: undefined })
    assert.ok(reversed.equals(encodeRevocations({ subjects: SUBJECTS, crl: undefined })))
  })

  const refused: Record<string, string> = {
    nothing: '',
    'no list': '{"crl":""}',
    'no CRL member': '{"subjects":[]}',
    'a kind that is not known': '{"subjects":[{"kind":"colour","value":"red"}],"crl":""}',
    'a kind of the object prototype': '{"subjects":[{"kind":"constructor","value":"red"}],"crl":""}',
    'a serial number that is none': '{"subjects":[{"kind":"serial","value":"xyz"}],"crl":""}',
    'an ID without a path': '{"subjects":[{"kind":"spiffe-id","value":"spiffe://bank.test"}],"crl":""}',
    'a value that is missing': '{"subjects":[{"kind":"serial"}],"crl":""}',
    'a CRL that is not base64': '{"subjects":[],"crl":"%%%"}',
    'a CRL that is no text': '{"subjects":[],"crl":null}',
    'a member twice': '{"subjects":[],"subjects":[],"crl":""}',
    'one more than the limit': JSON.stringify({
      subjects: Array.from({ length: 100_001 }, () => ({ kind: 'serial', value: '01' })),
      crl: '',
    }),
  }
  for (const [name, text] of Object.entries(refused)) {
    test(`are refused with ${name}`, () => {
      assert.throws(() => parseRevocations(Buffer.from(text)), { code: 'ERR_RPC_INVALID' })
    })
  }

  test('of any bytes are read or refused with the own error', () => {
    const anything = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => Buffer.from(json)),
      fc.json().map((json) => Buffer.from(`{"subjects":[${json}],"crl":""}`)),
    )
    fc.assert(
      fc.property(anything, (bytes) => {
        try {
          parseRevocations(bytes)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_RPC_INVALID')
        }
      }),
    )
  })
})
