import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate } from './certificate.ts'
import { der, encodeDer } from './der.ts'
import { basicConstraints, toExtensions } from './extension.ts'
import { OID } from './oid.ts'
import { certificateOf, dns, SPKI, withExtension } from './testing-certificate.ts'

const REFUSED: readonly (readonly [string, string, Buffer])[] = [
  ['another structure', 'ERR_DER', encodeDer(der.sequence())],
  ['version 1, which has no version (RFC 5280 4.1.2.1)', 'ERR_DER', certificateOf({ version: undefined })],
  [
    'version 2 (RFC 5280 4.1.2.1)',
    'ERR_CERTIFICATE',
    certificateOf({ version: der.wrapped(0, der.unsigned(Buffer.of(1))) }),
  ],
  [
    'a negative serial number (RFC 5280 4.1.2.2)',
    'ERR_CERTIFICATE',
    certificateOf({ serialNumber: der.encoded(Buffer.of(2, 1, 0x80)) }),
  ],
  [
    'a serial number of 21 octets (RFC 5280 4.1.2.2)',
    'ERR_CERTIFICATE',
    certificateOf({ serialNumber: der.unsigned(Buffer.alloc(21, 0xff)) }),
  ],
  [
    'a serial number of 21 octets that needs none for the sign',
    'ERR_CERTIFICATE',
    certificateOf({ serialNumber: der.unsigned(Buffer.alloc(21, 0x7f)) }),
  ],
  [
    'two signature algorithms (RFC 5280 4.1.1.2)',
    'ERR_CERTIFICATE',
    certificateOf({}, der.encoded(Buffer.from('300506032b6570', 'hex'))),
  ],
  [
    'a foreign signature algorithm',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf(
      { signature: der.sequence(der.oid('1.2.840.113549.1.1.5')) },
      der.sequence(der.oid('1.2.840.113549.1.1.5')),
    ),
  ],
  [
    'parameters on a signature algorithm that has none (RFC 5758 3.2)',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf(
      { signature: der.sequence(der.oid('1.2.840.10045.4.3.2'), der.encoded(Buffer.of(5, 0))) },
      der.sequence(der.oid('1.2.840.10045.4.3.2'), der.encoded(Buffer.of(5, 0))),
    ),
  ],
  [
    'a foreign key algorithm',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf({ publicKeyInfo: der.sequence(der.sequence(der.oid('1.2.3')), der.bits(Buffer.alloc(65, 4))) }),
  ],
  [
    'a hybrid point (RFC 5480 2.2)',
    'ERR_KEY',
    certificateOf({ publicKeyInfo: der.sequence(der.encoded(SPKI.subarray(2, 23)), der.bits(Buffer.alloc(65, 6))) }),
  ],
  [
    'a compressed point (RFC 5480 2.2)',
    'ERR_KEY',
    certificateOf({ publicKeyInfo: der.sequence(der.encoded(SPKI.subarray(2, 23)), der.bits(Buffer.alloc(33, 2))) }),
  ],
  [
    'an instant that is no time (RFC 5280 4.1.2.5)',
    'ERR_DER',
    certificateOf({ validity: der.sequence(der.utf8('x'), der.utf8('y')) }),
  ],
  ['a unique identifier (RFC 5280 4.1.2.8)', 'ERR_DER', certificateOf({ uniqueId: der.tagged(1, Buffer.of(0, 1)) })],
  ['no extensions', 'ERR_DER', certificateOf({ extensions: undefined })],
  [
    'an extension twice (RFC 5280 4.2)',
    'ERR_CERTIFICATE',
    certificateOf({ extensions: der.wrapped(3, toExtensions([basicConstraints(false), basicConstraints(true)])) }),
  ],
  [
    'a FALSE that is the default (X.690 11.5)',
    'ERR_DER',
    withExtension(OID.basicConstraints, der.sequence(der.boolean(false))),
  ],
  [
    'a path length without the CA flag (RFC 5280 4.2.1.9)',
    'ERR_CERTIFICATE',
    withExtension(OID.basicConstraints, der.sequence(der.unsigned(Buffer.of(1)))),
  ],
  [
    'a key usage that is no bit string (RFC 5280 4.2.1.3)',
    'ERR_CERTIFICATE',
    withExtension(OID.keyUsage, der.octets(Buffer.of(0))),
  ],
  [
    'an empty extended key usage (RFC 5280 4.2.1.12)',
    'ERR_CERTIFICATE',
    withExtension(OID.extendedKeyUsage, der.sequence()),
  ],
  [
    'a key identifier that is no octet string (RFC 5280 4.2.1.2)',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectKeyId, der.sequence()),
  ],
  [
    'no alternative name in the extension for them (RFC 5280 4.2.1.6)',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence()),
  ],
  [
    '101 alternative names',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 101 }, () => dns('a')))),
  ],
  [
    '10 000 alternative names',
    'ERR_DER',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 10_000 }, () => dns('a')))),
  ],
  [
    'more than 64 KiB of alternative names',
    'ERR_DER',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 90 }, () => dns('a'.repeat(800))))),
  ],
  [
    'a NUL in a name (RFC 5280 4.2.1.6)',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(dns('bank.test\0.evil'))),
  ],
  [
    'a name beyond ASCII (RFC 5280 4.2.1.6)',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(dns('bänk'))),
  ],
  [
    'a name of no known kind',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(der.tagged(9, Buffer.of(1)))),
  ],
  ['a name that is no name', 'ERR_CERTIFICATE', withExtension(OID.subjectAltName, der.sequence(der.utf8('x')))],
  [
    'an authority key identifier with an issuer but no serial number (RFC 5280 4.2.1.1)',
    'ERR_CERTIFICATE',
    withExtension(OID.authorityKeyId, der.sequence(der.wrapped(1, der.sequence()))),
  ],
  [
    'an authority key identifier with a field too many (RFC 5280 4.2.1.1)',
    'ERR_DER',
    withExtension(OID.authorityKeyId, der.sequence(der.tagged(0, Buffer.of(1)), der.tagged(0, Buffer.of(1)))),
  ],
  [
    'a name constraint with bounds (RFC 5280 4.2.1.10)',
    'ERR_CERTIFICATE',
    withExtension(
      OID.nameConstraints,
      der.sequence(der.wrapped(0, der.sequence(dns('a'), der.tagged(0, Buffer.of(1))))),
    ),
  ],
  [
    'name constraints without names (RFC 5280 4.2.1.10)',
    'ERR_CERTIFICATE',
    withExtension(OID.nameConstraints, der.sequence(der.wrapped(0))),
  ],
  [
    'bytes after an extension’s value',
    'ERR_DER',
    certificateOf({
      extensions: der.wrapped(
        3,
        toExtensions([{ oid: OID.keyUsage, critical: true, value: Buffer.from('03020780ff', 'hex') }]),
      ),
    }),
  ],
  ['bytes after the certificate', 'ERR_DER', Buffer.concat([certificateOf({}), Buffer.of(0)])],
  ['a certificate that is cut off', 'ERR_DER', certificateOf({}).subarray(0, -1)],
]

for (const [what, code, bytes] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parseCertificate(bytes), { code }))
}
