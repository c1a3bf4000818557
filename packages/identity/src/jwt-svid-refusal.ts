/**
 * Why a token is no identity: what each code means and the rule behind it, as document and section with the number in
 * the conformance list.
 */
export const JWT_SVID_REFUSALS = {
  'too-long': ['it is longer than any JWT-SVID needs to be', 'limit of Picket: 16 KiB'],
  'not-compact': ['it is not a JWS in compact serialization', 'JWT-SVID 5.1 (rule 30)'],
  'bad-encoding': ['a part of it is not base64url without padding', 'RFC 7515 2 (rule 30)'],
  'bad-header': ['its header is not a JSON object with each member once', 'RFC 7515 4 (rule 30)'],
  'bad-algorithm': ['its algorithm is none of the nine', 'JWT-SVID 2.1 (rule 31)'],
  'bad-type': ['its type is neither JWT nor JOSE', 'JWT-SVID 2.3 (rule 32)'],
  'bad-header-member': ['its header has a member other than alg, kid and typ', 'JWT-SVID 2 (rule 33)'],
  'bad-key-id': ['its key ID is not a text', 'RFC 7515 4.1.4 (rule 34)'],
  'bad-claims': ['its claims are not a JSON object with each member once', 'RFC 7519 4 (rule 35)'],
  'bad-subject': ['its subject is not the SPIFFE ID of a workload', 'JWT-SVID 3.1 (rule 35)'],
  'no-bundle': ['the trust domain is not one that is trusted here', 'SPIFFE-ID 3 (rules 13, 38, 49)'],
  'no-key-id': ['it does not name its key', 'JWT-SVID 2.2 (rule 34)'],
  'ambiguous-key': ['it does not name its key, and not exactly one would do', 'JWT-SVID 2.2 (rule 34)'],
  'unknown-key': ["its key is not among its trust domain's JWT authorities", 'JWT-SVID 4 (rule 38)'],
  'wrong-key': ['its key is not one for its algorithm', 'RFC 7518 3 (rules 31, 38)'],
  'bad-signature': ['its signature is not that of its key', 'RFC 7515 5.2 (rule 38)'],
  'bad-claim': ['a registered claim is not in the form that it has', 'RFC 7519 4.1 (rules 36, 37)'],
  'no-audience': ['it has no audience', 'JWT-SVID 3.2 (rule 36)'],
  'wrong-audience': ['it is for another audience', 'JWT-SVID 3.2 (rule 36)'],
  'no-expiry': ['it never expires', 'JWT-SVID 3.3 (rule 37)'],
  expired: ['it has expired', 'JWT-SVID 3.3 (rule 37)'],
  'not-yet-valid': ['it is not valid yet', 'RFC 7519 4.1.5 (rule 37)'],
  revoked: ['it is on the deny-list', 'deny-list'],
} as const satisfies Record<string, readonly [meaning: string, rule: string]>

export type JwtSvidRefusalCode = keyof typeof JWT_SVID_REFUSALS

/** An expected negative: a value, not an exception. */
export interface JwtSvidRefusal {
  readonly kind: 'refused'
  readonly code: JwtSvidRefusalCode
  /** For logs; holds nothing of the token beyond a trust domain's name that has passed the parser, and instants. */
  readonly message: string
  /** `JWT-SVID 2.1 (rule 31)`. */
  readonly rule: string
}

export function refuseJwtSvid(code: JwtSvidRefusalCode, detail = ''): JwtSvidRefusal {
  const [meaning, rule] = JWT_SVID_REFUSALS[code]
  return { kind: 'refused', code, message: detail ? `${meaning}: ${detail}` : meaning, rule }
}
