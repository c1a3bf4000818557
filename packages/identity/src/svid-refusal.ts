/**
 * Why a peer's certificate chain is no identity: what each code means, and the rule behind it (the number is the one in
 * the conformance list) unless the refusal names a narrower one.
 */
export const SVID_REFUSALS = {
  'empty-chain': ['there is no certificate', 'X509-SVID 5.1 (rule 26)'],
  'chain-too-long': ['there are more certificates than any path needs', 'limit of Picket: 8 certificates (rule 26)'],
  'not-a-leaf': ['the first certificate is a signing certificate', 'X509-SVID 5.2 (rules 18, 24, 27)'],
  'bad-san': ['there is not exactly one URI name', 'X509-SVID 2 (rule 14)'],
  'bad-spiffe-id': ['the URI name is not the SPIFFE ID of a workload', 'SPIFFE-ID 2 (rules 1-10, 27)'],
  'bad-key-usage': ['the certificate is not for authenticating workloads', 'X509-SVID 4.3 (rule 20)'],
  'unknown-critical-extension': ['a critical extension is not understood', 'RFC 5280 4.2 (rule 26)'],
  'not-yet-valid': ['the certificate is not valid yet', 'RFC 5280 6.1.3 (rule 26)'],
  expired: ['the certificate has expired', 'RFC 5280 6.1.3 (rule 26)'],
  'no-bundle': ['the trust domain is not one that is trusted here', 'Trust-Domain-and-Bundle 5 (rules 13, 49)'],
  'unknown-authority': [
    "no authority of the trust domain's bundle leads to the certificate",
    'SPIFFE-ID 3 (rules 13, 26, 48)',
  ],
  'bad-signature': ['an authority of the right name did not sign it', 'RFC 5280 6.1.3 (rule 26)'],
  'bad-issuer': ['an issuer on the path may not issue', 'RFC 5280 6.1.4 (rules 18, 21, 26)'],
  'issuer-expired': ['an issuer on the path is out of its dates', 'RFC 5280 6.1.3 (rule 26)'],
  'path-too-long': ['an issuer on the path allows fewer certificates below it', 'RFC 5280 6.1.4 (rule 26)'],
  'name-constraints': ['an issuer on the path is not for this name', 'RFC 5280 6.1.3 (rules 25, 26)'],
  'too-many-signatures': [
    'finding a path takes more signature checks than are allowed',
    'limit of Picket: 32 signature checks (rule 26)',
  ],
  revoked: ['it is on the deny-list', 'deny-list'],
  'issuer-rules': ['it is not what an authority may issue', 'X509-SVID 4'],
} as const satisfies Record<string, readonly [meaning: string, rule: string]>

export type SvidRefusalCode = keyof typeof SVID_REFUSALS

/** An expected negative: a value, not an exception. */
export interface SvidRefusal {
  readonly kind: 'refused'
  readonly code: SvidRefusalCode
  /** For logs; holds no bytes of the peer's beyond a name that has passed the parser. */
  readonly message: string
  /** Document and section, and the number in the conformance list: `X509-SVID 2 (rule 14)`. */
  readonly rule: string
}

export function refuseSvid(code: SvidRefusalCode, detail = '', rule?: string): SvidRefusal {
  const [meaning, usualRule] = SVID_REFUSALS[code]
  return { kind: 'refused', code, message: detail ? `${meaning}: ${detail}` : meaning, rule: rule ?? usualRule }
}

const MAX_NAMED_EXTENSIONS = 3

/** Names some of them only: how many there are is the peer's choice, and the message goes into logs. */
export function refuseExtensions(oids: readonly string[]): SvidRefusal {
  const more = oids.length > MAX_NAMED_EXTENSIONS ? ` and ${oids.length - MAX_NAMED_EXTENSIONS} more` : ''
  return refuseSvid('unknown-critical-extension', oids.slice(0, MAX_NAMED_EXTENSIONS).join(', ') + more)
}
