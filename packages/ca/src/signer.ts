import { lintX509Svid, OID, parseCertificate, type Certificate } from '@picket/identity'
import { messageOf } from '@picket/runtime'
import type { LoadedAuthority } from './authority-files.ts'
import { CaError } from './error.ts'
import type { SvidRequest } from './template.ts'

/** What an SVID must come out as, whatever went wrong on the way. */
export interface ExpectedSvid {
  readonly request: SvidRequest
  readonly notBefore: Date
  readonly notAfter: Date
}

/**
 * What the authority has signed, read back as a stranger would: the certificate in `der` if it keeps the issuer's rules, is signed by the authority and is exactly what was asked for;
 * nothing in it is taken from what was meant to be written. What fails is not returned, whoever is to blame. That the
 * authority itself leads to the bundle is checked once, when it begins to sign, and not for every SVID. Throws `ERR_LINT`.
 */
export function checkSvid(der: Buffer, authority: LoadedAuthority, expected: ExpectedSvid): Certificate {
  const certificate = readOwnOutput(der)
  const faults = lintX509Svid(certificate)
  if (faults.length > 0) throw lintError(`breaks the profile: ${faults.join('; ')}`)
  const difference = DIFFERENCES.find(([differs]) => differs(certificate, authority, expected))
  if (difference) throw lintError(difference[1])
  if (!certificate.isSignedWith(authority.publicKey)) throw lintError('is not signed by the authority')
  return certificate
}

type Differs = (certificate: Certificate, authority: LoadedAuthority, expected: ExpectedSvid) => boolean

const EXTENSIONS: readonly string[] = [
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
  OID.subjectAltName,
  OID.subjectKeyId,
  OID.authorityKeyId,
]

const DIFFERENCES: readonly (readonly [Differs, string])[] = [
  [({ issuer }, { certificate }) => !issuer.equals(certificate!.subject), 'is in the name of another issuer'],
  [({ authorityKeyId }, { slot }) => authorityKeyId !== slot.keyId, 'names another key of its issuer'],
  [
    ({ subjectAltNames }, _, { request: { id, dnsNames } }) =>
      subjectAltNames.length !== 1 + dnsNames.length ||
      subjectAltNames.some(({ kind, text }, index) =>
        index === 0 ? kind !== 'uri' || text !== id.uri : kind !== 'dns' || text !== dnsNames[index - 1],
      ),
    'has other names than asked',
  ],
  [
    ({ publicKeyInfo }, _, { request }) => !publicKeyInfo.der.equals(request.publicKeyInfo.der),
    'is for another key than asked',
  ],
  [
    ({ notBefore, notAfter }, authority, expected) =>
      notBefore.getTime() !== toWholeSeconds(expected.notBefore) ||
      notAfter.getTime() !== toWholeSeconds(expected.notAfter) ||
      notAfter > authority.slot.notAfter,
    'has other dates than asked',
  ],
  [({ keyUsage }) => keyUsage?.length !== 1, 'may be used for more than signatures'],
  [({ extendedKeyUsage }) => extendedKeyUsage?.length !== 2, 'is for other purposes'],
  [
    ({ extensions }) =>
      extensions.length !== EXTENSIONS.length || !extensions.every(({ oid }) => EXTENSIONS.includes(oid)),
    'has other extensions than an SVID has',
  ],
]

const toWholeSeconds = (date: Date): number => Math.floor(date.getTime() / 1000) * 1000

function readOwnOutput(der: Buffer): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw new CaError('ERR_LINT', `the certificate made cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function lintError(problem: string): CaError {
  return new CaError('ERR_LINT', `the certificate made ${problem}`)
}
