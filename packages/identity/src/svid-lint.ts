import type { Certificate } from './certificate.ts'
import { EMPTY_NAME } from './distinguished-name.ts'
import type { Extension } from './extension.ts'
import { OID } from './oid.ts'
import { toLeafId } from './svid.ts'

/** A rule that issuers must keep, and what is wrong by it. */
export interface LintFinding {
  readonly rule: string
  readonly fault: string
}

/**
 * The issuer's rules for an SVID, each with its number in the conformance list; what an authority must not hand out is
 * listed, clean is the empty list. Stricter than `toLeafId`, which takes other issuers' certificates.
 */
export function lintX509Svid(leaf: Certificate): string[] {
  const id = toLeafId(leaf)
  const own = OWN_RULES.filter(({ isBroken }) => isBroken(leaf))
  const broken = [...lintLeaf(leaf), ...own].map(({ rule, fault }) => `${rule}: ${fault}`)
  return 'kind' in id ? [id.message, ...broken] : broken
}

/** What the standards ask of any issuer of leaves. */
export function lintLeaf(leaf: Certificate): LintFinding[] {
  return [...LEAF_RULES, ...COMMON_RULES].filter(({ isBroken }) => isBroken(leaf))
}

/** The same for an authority on the path, of the bundle or between. */
export function lintAuthority(authority: Certificate): LintFinding[] {
  return [...AUTHORITY_RULES, ...COMMON_RULES].filter(({ isBroken }) => isBroken(authority))
}

interface LintRule extends LintFinding {
  readonly isBroken: (certificate: Certificate) => boolean
}

const find = (certificate: Certificate, oid: string): Extension | undefined =>
  certificate.extensions.find((extension) => extension.oid === oid)
const isThereUncritical = (certificate: Certificate, oid: string): boolean => find(certificate, oid)?.critical === false

const COMMON_RULES: readonly LintRule[] = [
  {
    rule: 'X509-SVID 4.3 (rule 19)',
    fault: 'the key usage is missing',
    isBroken: ({ keyUsage }) => !keyUsage,
  },
  {
    rule: 'X509-SVID 4.3 (rule 19)',
    fault: 'the key usage is not critical',
    isBroken: (certificate) => isThereUncritical(certificate, OID.keyUsage),
  },
  {
    rule: 'X509-SVID 2 (rule 17)',
    fault: 'the subject is empty and the alternative name not critical',
    isBroken: (certificate) =>
      certificate.subject.equals(EMPTY_NAME) && isThereUncritical(certificate, OID.subjectAltName),
  },
  {
    rule: 'RFC 5280 4.1.2.2',
    fault: 'the serial number is zero or too long',
    isBroken: ({ serialNumber }) => serialNumber.length > 40 || /^0*$/.test(serialNumber),
  },
  {
    rule: 'RFC 5280 4.1.2.5',
    fault: 'it ends before it begins',
    isBroken: ({ notBefore, notAfter }) => notBefore.getTime() >= notAfter.getTime(),
  },
]

const LEAF_RULES: readonly LintRule[] = [
  {
    rule: 'X509-SVID 4.4 (rule 22)',
    fault: 'the extended key usage is missing',
    isBroken: ({ extendedKeyUsage }) => !extendedKeyUsage,
  },
  {
    rule: 'RFC 5280 4.2.1.10',
    fault: 'name constraints on a leaf',
    isBroken: (leaf) => find(leaf, OID.nameConstraints) !== undefined,
  },
  {
    rule: 'RFC 5280 4.2.1.1',
    fault: 'the authority key identifier is missing',
    isBroken: ({ authorityKeyId }) => !authorityKeyId,
  },
]

/** The standard leaves the method open; ours is one. */
const OWN_RULES: readonly LintRule[] = [
  {
    rule: 'RFC 5280 4.2.1.2',
    fault: 'the subject key identifier is not the key’s',
    isBroken: ({ subjectKeyId, publicKeyInfo }) => subjectKeyId !== publicKeyInfo.keyId,
  },
]

const AUTHORITY_RULES: readonly LintRule[] = [
  {
    rule: 'X509-SVID 4.3 (rule 21)',
    fault: 'the key usage of an authority lacks keyCertSign',
    isBroken: ({ keyUsage }) => keyUsage !== undefined && !keyUsage.includes('keyCertSign'),
  },
  {
    rule: 'X509-SVID 3.2 (rule 23)',
    fault: 'the SPIFFE ID of an authority has a path',
    isBroken: ({ uriSans }) => uriSans.some((uri) => /^spiffe:\/\/[^/]*\//i.test(uri)),
  },
  {
    rule: 'X509-SVID 2 (rule 14)',
    fault: 'an authority has more than one URI name',
    isBroken: ({ uriSans }) => uriSans.length > 1,
  },
  {
    rule: 'RFC 5280 4.2.1.9',
    fault: 'the basic constraints of an authority are not critical',
    isBroken: (authority) => isThereUncritical(authority, OID.basicConstraints),
  },
  {
    rule: 'RFC 5280 4.1.2.6',
    fault: 'an authority has no subject',
    isBroken: ({ subject }) => subject.equals(EMPTY_NAME),
  },
]
