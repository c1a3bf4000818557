import { PicketError } from '@picket/runtime'

export type IdentityErrorCode =
  | 'ERR_TRUST_DOMAIN'
  | 'ERR_SPIFFE_ID'
  | 'ERR_DER'
  | 'ERR_PEM'
  | 'ERR_KEY'
  | 'ERR_UNSUPPORTED_ALGORITHM'
  | 'ERR_CERTIFICATE'
  | 'ERR_CSR'
  | 'ERR_CSR_PROOF'
  | 'ERR_SVID'
  | 'ERR_TRUST_BUNDLE'
  | 'ERR_JSON'
  | 'ERR_JWT_SVID'
  | 'ERR_REVOCATION'
  | 'ERR_CRL'

/** Thrown by every parser of this package, and by nothing else in it. A refused peer is a value, see `SvidRefusal`. */
export class IdentityError extends PicketError {
  readonly code: IdentityErrorCode
  /** The rule of a standard that was broken, where the parser knows it: `SPIFFE-ID 2.1 (rule 4)`. */
  readonly rule: string | undefined

  constructor(code: IdentityErrorCode, message: string, options: { cause?: unknown; rule?: string } = {}) {
    super(message, options)
    this.code = code
    this.rule = options.rule
  }
}
