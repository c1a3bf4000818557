/** Why a peer's certificate chain is no identity, with what each code means. */
export const SVID_REFUSALS = {
  'empty-chain': 'there is no certificate',
  'chain-too-long': 'there are more certificates than any path needs',
  'not-a-leaf': 'the first certificate is a signing certificate',
  'bad-san': 'there is not exactly one URI name',
  'bad-spiffe-id': 'the URI name is not the SPIFFE ID of a workload',
  'bad-key-usage': 'the certificate is not for authenticating workloads',
  'unknown-critical-extension': 'a critical extension is not understood',
  'not-yet-valid': 'the certificate is not valid yet',
  expired: 'the certificate has expired',
  'no-bundle': 'the trust domain is not one that is trusted here',
  'unknown-authority': "no authority of the trust domain's bundle leads to the certificate",
  'bad-signature': 'an authority of the right name did not sign it',
  'bad-issuer': 'an issuer on the path may not issue',
  'issuer-expired': 'an issuer on the path is out of its dates',
  'path-too-long': 'an issuer on the path allows fewer certificates below it',
  'name-constraints': 'an issuer on the path is not for this name',
  'too-many-signatures': 'finding a path takes more signature checks than are allowed',
} as const satisfies Record<string, string>

export type SvidRefusalCode = keyof typeof SVID_REFUSALS

/** An expected negative: a value, not an exception. */
export interface SvidRefusal {
  readonly kind: 'refused'
  readonly code: SvidRefusalCode
  /** For logs; holds no bytes of the peer's beyond a name that has passed the parser. */
  readonly message: string
}

export function refuseSvid(code: SvidRefusalCode, detail = ''): SvidRefusal {
  return { kind: 'refused', code, message: detail ? `${SVID_REFUSALS[code]}: ${detail}` : SVID_REFUSALS[code] }
}
