import { PicketError } from '@picket/runtime'

export type PolicyErrorCode =
  /** Beyond a size or count limit, compressed or not. */
  | 'ERR_BUNDLE_TOO_LARGE'
  /** Not a gzipped tar, or damaged. */
  | 'ERR_BUNDLE_FORMAT'
  /** Ends before its end. */
  | 'ERR_BUNDLE_TRUNCATED'
  /** An archive entry that a bundle may not have, or twice the same. */
  | 'ERR_BUNDLE_ENTRY'
  | 'ERR_BUNDLE_MANIFEST'
  | 'ERR_BUNDLE_DATA'
  /** No `policy.wasm`, or not a module that OPA compiled. */
  | 'ERR_BUNDLE_WASM'
  /** The module lacks the entrypoint that decisions are asked of. */
  | 'ERR_POLICY_ENTRYPOINT'
  /** The module needs a builtin function that this engine does not have. */
  | 'ERR_POLICY_BUILTIN'
  /** The policy did not give a boolean for each of the samples. */
  | 'ERR_POLICY_SMOKE'
  /** An input document that Rego cannot take as it is. */
  | 'ERR_POLICY_INPUT'
  | 'ERR_POLICY_EVALUATION'
  | 'ERR_POLICY_DISPOSED'
  /** Rego that does not compile, see `locations`. */
  | 'ERR_POLICY_COMPILE'
  | 'ERR_OPA_MISSING'
  | 'ERR_OPA_VERSION'
  | 'ERR_OPA_FAILED'
  | 'ERR_OPA_DOWNLOAD'
  | 'ERR_OPA_CHECKSUM'
  | 'ERR_OPA_PLATFORM'

/** A place in a Rego file that the compiler or a test complained about. Lines and columns count from 1. */
export interface SourceLocation {
  /** Relative to the policy folder. */
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
}

/** Thrown by every function of this package but `decide`, which turns trouble into a denial. */
export class PolicyError extends PicketError {
  readonly code: PolicyErrorCode
  /** Where, for `ERR_POLICY_COMPILE`; else empty. */
  readonly locations: readonly SourceLocation[]

  constructor(
    code: PolicyErrorCode,
    message: string,
    options: { cause?: unknown; retryable?: boolean; locations?: readonly SourceLocation[] } = {},
  ) {
    super(message, options)
    this.code = code
    this.locations = options.locations ?? []
  }
}

/** `act`, with whatever it throws as the cause of a `PolicyError`. */
export function orThrow<T>(code: PolicyErrorCode, what: string, act: () => T): T {
  try {
    return act()
  } catch (cause) {
    throw new PolicyError(code, `${what}: ${textOf(cause)}`, { cause })
  }
}

/** Wasm and the SDK throw strings and bare objects as well as errors. */
export function textOf(thrown: unknown): string {
  const message = (thrown as { message?: unknown } | null | undefined)?.message
  return typeof message === 'string' ? message : String(thrown)
}
