/** A fixed set of lower-case header names, looked up by bytes. Build it once, at start. */
export interface HeaderNameSet {
  readonly names: readonly string[]
}

/** Throws `ERR_HTTP_INVALID_NAME` on a name that is not a lower-case token. */
export function createHeaderNameSet(names: readonly string[]): HeaderNameSet {
  return { names }
}
