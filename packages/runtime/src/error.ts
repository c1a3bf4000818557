/**
 * The one base class of everything that Picket throws. A subclass per package narrows `code` to a closed union, so that
 * callers switch on the code and never on prose. Messages are lowercase and hold no secrets.
 */
export abstract class PicketError extends Error {
  abstract readonly code: string
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean

  constructor(message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.retryable = options.retryable ?? false
  }
}

/** The message of anything that was thrown, for log fields and user-facing lines. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The `code` of anything that was thrown (`ENOENT`, `ERR_SVID_EXPIRED`), or undefined. */
export function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
