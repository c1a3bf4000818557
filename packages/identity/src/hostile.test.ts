import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createCertificate, parseCertificate, type Certificate } from './certificate.ts'
import { createCrl, parseCrl } from './crl.ts'
import { createCsr, MAX_CSR_BYTES, parseCsr } from './csr.ts'
import { scanDer, TAG, type DerElement } from './der-element.ts'
import { IdentityError } from './error.ts'
import { basicConstraints } from './extension.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { createBundleSource } from './source.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { createTestAuthority } from './testing.ts'
import { verifyCertificatePath, verifyX509Svid } from './verify.ts'

/* What a peer may send to cost us time, memory or a wrong answer, by the names under which such attacks are known. */

const now = new Date()
const bank = createTestAuthority('bank.test')
const id = parseSpiffeId('spiffe://bank.test/payments')
const [leaf] = bank.issueSvid('/payments').chain
const csr = createCsr(generateKeyPair(), id)
const dates = { thisUpdate: now, nextUpdate: new Date(now.getTime() + 3_600_000) }
const crl = createCrl(
  { issuer: bank.certificate, crlNumber: 1n, ...dates, revoked: [{ serialNumber: '07', revokedAt: now }] },
  bank.keyPair.privateKey,
)

const PARSERS: readonly (readonly [string, Buffer, (bytes: Uint8Array) => unknown])[] = [
  ['certificate', leaf!.der, parseCertificate],
  ['CSR', csr, parseCsr],
  ['CRL', crl, parseCrl],
]

const sized = (tag: number, content: Buffer): Buffer =>
  Buffer.concat([
    Buffer.of(tag, 0x83, content.length >> 16, (content.length >> 8) & 255, content.length & 255),
    content,
  ])
const content = (der: Buffer): Buffer => der.subarray(4)

function nested(levels: number): Buffer {
  let inner: Buffer = Buffer.alloc(0)
  for (let level = 0; level < levels; level++) inner = sized(0x30, inner)
  return inner
}

for (const [what, good, parse] of PARSERS) {
  const HOSTILE: readonly (readonly [string, Buffer])[] = [
    ['an indefinite length', Buffer.concat([Buffer.of(0x30, 0x80), content(good), Buffer.of(0, 0)])],
    ['a length in more octets than it needs', Buffer.concat([Buffer.of(0x30, 0x83, 0), good.subarray(2)])],
    ['a length beyond the end', Buffer.concat([Buffer.of(0x30, 0x83, 0xff, 0xff, 0xff), content(good)])],
    ['a length that claims gigabytes', Buffer.concat([Buffer.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), content(good)])],
    ['trailing bytes', Buffer.concat([good, Buffer.from('trailing')])],
    ['itself twice', Buffer.concat([good, good])],
    ['5 000 nested levels', nested(5000)],
    ['a mebibyte', sized(0x30, Buffer.alloc(1024 * 1024))],
    ['a mebibyte of empty sequences', sized(0x30, Buffer.alloc(1024 * 1024, Buffer.of(0x30, 0)))],
  ]
  for (const [attack, bytes] of HOSTILE) {
    test(`${what}: ${attack} is refused`, () => assert.throws(() => parse(bytes), { code: 'ERR_DER' }))
  }

  test(`${what}: each element with a padded number, a long length or an indefinite one is refused`, () => {
    const root = scanDer(good)
    assert.deepEqual(rebuild(root, undefined), good)
    for (const target of elementsOf(root)) {
      for (const disguise of DISGUISES.filter(({ fits }) => fits(target))) {
        const bytes = rebuild(root, { target, ...disguise })
        assert.throws(() => parse(bytes), { code: 'ERR_DER', message: disguise.message })
      }
    }
  })

  test(`${what}: cut off anywhere, it is refused`, () => {
    for (let length = 0; length < good.length; length++) {
      assert.throws(() => parse(good.subarray(0, length)), IdentityError)
    }
  })

  test(`${what}: octets put in, taken out, doubled or exchanged never crash the parser`, () => {
    const edit = fc.tuple(fc.nat(good.length), fc.nat(8), fc.uint8Array({ maxLength: 8 }))
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let bytes: Buffer = good
        for (const [at, drop, put] of edits) {
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)])
        }
        try {
          parse(bytes)
        } catch (thrown) {
          assert.ok(thrown instanceof IdentityError, String(thrown))
        }
      }),
      { numRuns: 500 },
    )
  })
}

interface Disguise {
  readonly fits: (element: DerElement) => boolean
  readonly message: RegExp
  readonly encode: (tag: number, content: Buffer) => Buffer
}

const shortest = (tag: number, inner: Buffer): Buffer => {
  const { length } = inner
  const octets = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...octets), inner])
}

/** Other encodings of the same value, which BER allows and DER does not. */
const DISGUISES: readonly Disguise[] = [
  {
    fits: ({ tag }) => tag === TAG.integer,
    message: /integer is empty or not in its shortest form/,
    encode: (tag, inner) => shortest(tag, Buffer.concat([Buffer.of(0), inner])),
  },
  { fits: () => true, message: /length is not in its shortest form/, encode: sized },
  {
    fits: ({ tag }) => (tag & 0x20) !== 0,
    message: /indefinite length/,
    encode: (tag, inner) => Buffer.concat([Buffer.of(tag, 0x80), inner, Buffer.of(0, 0)]),
  },
]

function elementsOf(element: DerElement): DerElement[] {
  return [element, ...element.children.flatMap(elementsOf)]
}

/** Encodes the tree again with one element in disguise and all lengths around it right. */
function rebuild(element: DerElement, disguise: (Disguise & { target: DerElement }) | undefined): Buffer {
  const { tag, children } = element
  const inner = tag & 0x20 ? Buffer.concat(children.map((child) => rebuild(child, disguise))) : element.content
  return disguise?.target === element ? disguise.encode(tag, inner) : shortest(tag, inner)
}

test('a CSR of a mebibyte is refused by its size, before it is read', () => {
  assert.throws(() => parseCsr(Buffer.alloc(1024 * 1024, csr)), { message: new RegExp(String(MAX_CSR_BYTES)) })
})

const codeOf = (chain: readonly Certificate[], bundles = bank.bundles): string => {
  const verdict = verifyX509Svid(chain, bundles, now)
  return verdict.kind === 'refused' ? verdict.code : verdict.id.uri
}

test('a chain of 50 is refused unread', (t) => {
  const checks = countSignatureChecks(t)
  const chain = [leaf!, ...Array.from({ length: 49 }, () => bank.certificate)]
  assert.equal(codeOf(chain), 'chain-too-long')
  const verdict = verifyCertificatePath(chain, [bank.certificate], now)
  assert.equal(verdict.kind === 'refused' && verdict.code, 'chain-too-long')
  assert.equal(checks(), 0)
})

function countSignatureChecks(t: TestContext): () => number {
  const { mock } = t.mock.method(Object.getPrototypeOf(leaf) as Certificate, 'isSignedWith')
  return () => mock.callCount()
}

test('a hundred roots of one subject cost one signature check: the key identifier chooses', (t) => {
  const namesakes = Array.from({ length: 100 }, () =>
    createTestAuthority('bank.test', { subject: bank.certificate.subject }),
  )
  const x509Authorities = [...namesakes.map(({ certificate }) => certificate), bank.certificate]
  const bundles = createBundleSource([{ ...bank.bundle, x509Authorities }])
  const checks = countSignatureChecks(t)
  assert.equal(codeOf([leaf!], bundles), id.uri)
  assert.equal(checks(), 1)
})

test('a hundred roots of one subject and one key identifier cost at most 32 signature checks', (t) => {
  const { certificate } = bank
  const keyId = certificate.extensions.find(({ oid }) => oid === OID.subjectKeyId)!
  const namesakes = Array.from({ length: 100 }, () =>
    createTestAuthority('bank.test', { subject: certificate.subject, extraExtensions: [keyId] }),
  )
  const x509Authorities = [...namesakes.map((authority) => authority.certificate), certificate]
  const checks = countSignatureChecks(t)
  assert.equal(codeOf([leaf!], createBundleSource([{ ...bank.bundle, x509Authorities }])), 'too-many-signatures')
  assert.equal(checks(), 32)
})

test('signatures of unusual RSA keys, which can take four times as long, count four times', (t) => {
  const { subject, notBefore, notAfter } = bank.certificate
  const template = {
    serialNumber: Buffer.of(7),
    issuer: subject,
    subject,
    notBefore,
    notAfter,
    publicKeyInfo: generateKeyPairSync('rsa', { modulusLength: 2056 }).publicKey.export({
      type: 'spki',
      format: 'der',
    }),
    extensions: [basicConstraints(true)],
  }
  const signed = createCertificate(template, bank.keyPair.privateKey)
  const namesake = parseCertificate(signed)
  const rootsWith = (count: number) => {
    const x509Authorities = [...Array.from({ length: count }, () => namesake), bank.certificate]
    return createBundleSource([{ ...bank.bundle, x509Authorities }])
  }
  const checks = countSignatureChecks(t)
  assert.equal(codeOf([leaf!], rootsWith(7)), id.uri)
  assert.equal(checks(), 8)
  assert.equal(codeOf([leaf!], rootsWith(8)), 'too-many-signatures')
  assert.equal(checks(), 16)
})

test('intermediates that sign each other in circles are searched within the same bound', (t) => {
  const stranger = createTestAuthority('bank.test')
  const keyPair = generateKeyPair()
  const subject = stranger.certificate.subject
  const circle = Array.from({ length: 7 }, () => createTestAuthority('bank.test', { keyPair, subject }).certificate)
  const victim = createTestAuthority('bank.test', { keyPair, subject }).issueSvid('/payments').chain[0]!
  const checks = countSignatureChecks(t)
  assert.equal(codeOf([victim, ...circle], stranger.bundles), 'too-many-signatures')
  assert.ok(checks() <= 32, `${checks()} checks`)
})

test('a leaf that was changed in any way is never another identity', () => {
  const edit = fc.tuple(fc.nat(leaf!.der.length), fc.nat(4), fc.uint8Array({ maxLength: 6 }))
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let bytes: Buffer = leaf!.der
      for (const [at, drop, put] of edits) {
        bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)])
      }
      if (bytes.equals(leaf!.der)) return
      const changed = parsedOrUndefined(bytes)
      if (changed) assert.equal(verifyX509Svid([changed], bank.bundles, now).kind, 'refused')
    }),
    { numRuns: 1000 },
  )
})

test('any heap of certificates is refused, or is the identity that an authority of its domain signed', () => {
  const partner = createTestAuthority('partner.test')
  const middle = bank.issueAuthority()
  const heap = [
    ...middle.issueSvid('/a').chain,
    ...bank.issueSvid('/b').chain,
    ...partner.issueSvid('/c').chain,
    ...partner.issueSvid('/d', { uris: ['spiffe://bank.test/d'] }).chain,
    ...bank.issueSvid('/e', { signedWith: partner.keyPair }).chain,
    bank.certificate,
    partner.certificate,
  ]
  const bundles = createBundleSource([bank.bundle, partner.bundle])
  const good = new Set(['spiffe://bank.test/a', 'spiffe://bank.test/b', 'spiffe://partner.test/c'])
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...heap), { maxLength: 10 }), (chain) => {
      const verdict = verifyX509Svid(chain, bundles, now)
      if (verdict.kind === 'verified') assert.ok(good.has(verdict.id.uri) && verdict.leaf === chain[0])
      else assert.notEqual(verdict.rule, '')
    }),
    { numRuns: 300 },
  )
})

function parsedOrUndefined(bytes: Buffer): Certificate | undefined {
  try {
    return parseCertificate(bytes)
  } catch {
    return undefined
  }
}
