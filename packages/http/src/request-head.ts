/**
 * A view on the connection's own head bytes, valid until the exchange ends. Strings are made when asked for and kept for
 * the rest of the exchange; whoever counts microseconds reads `bytes` through the offsets instead.
 */
export interface RequestHead {
  readonly method: string
  /** Path and query as received and as forwarded (`*` for `OPTIONS *`). */
  readonly target: string
  /** Percent escapes as received: never decoded, never normalised. */
  readonly path: string
  /** Without the question mark; '' when absent. */
  readonly query: string
  /** Host header as received; '' when an HTTP/1.0 caller sent none. */
  readonly host: string
  readonly version: '1.0' | '1.1'
  readonly headerCount: number
  /** The value (repeated ones joined with ", "), undefined when absent. Hop-by-hop headers are not shown. */
  header(lowerCaseName: string): string | undefined
  /** All headers that are forwarded unless removed, lower-case names, null prototype. The slow path. */
  headers(): Record<string, string>

  /** The received bytes that all offsets below point into. */
  readonly bytes: Buffer
  readonly methodStart: number
  readonly methodEnd: number
  /** The target starts where the path starts and ends where the query ends. */
  readonly pathStart: number
  readonly pathEnd: number
  /** `queryStart === queryEnd` when there is none. */
  readonly queryStart: number
  readonly queryEnd: number
  /** Host value; both 0 when absent. */
  readonly hostStart: number
  readonly hostEnd: number
  /** Four numbers per header i, at 4 * i: name start, name end, value start, value end. */
  readonly offsets: Uint32Array
  /** Index of the first shown header of that name from index `from` (default 0) on, or -1. */
  indexOf(lowerCaseName: string, from?: number): number
  /** True for headers that are forwarded and shown; false for hop-by-hop ones. */
  isShown(index: number): boolean
}
