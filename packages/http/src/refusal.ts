/**
 * Why bytes from a peer were refused: one row per rule, so that a record, a metric label and a test can name it. Two
 * parsers that read the same bytes differently are how requests get smuggled; whatever could be read in two ways is
 * refused here, also where RFC 9112 would let a recipient repair it.
 */
const REFUSALS = {
  invalid_request_line: [400, 'request line is not METHOD SP target SP HTTP/x.y'],
  invalid_status_line: [400, 'status line is not HTTP/x.y SP code SP reason'],
  invalid_line_ending: [400, 'bare CR or LF'],
  invalid_target: [400, 'target is not in origin form'],
  ambiguous_path: [400, 'path has empty, dot or encoded-separator segments'],
  invalid_escape: [400, 'bad percent escape in target'],
  invalid_header_name: [400, 'header name is not a token followed by a colon'],
  invalid_header_value: [400, 'control byte in header value'],
  obsolete_folding: [400, 'folded header line'],
  missing_host: [400, 'host header is missing'],
  duplicate_host: [400, 'more than one host header'],
  invalid_host: [400, 'host header is not a host and optional port'],
  invalid_content_length: [400, 'content-length is not a plain number'],
  duplicate_content_length: [400, 'more than one content-length'],
  invalid_transfer_encoding: [400, 'transfer-encoding is not exactly "chunked"'],
  conflicting_framing: [400, 'content-length and transfer-encoding together'],
  invalid_connection: [400, 'connection header names a field that it may not'],
  invalid_chunk: [400, 'bad chunk framing'],
  invalid_trailer: [400, 'bad or forbidden trailer field'],
  trailers_too_large: [400, 'trailer section too long'],
  head_timeout: [408, 'head not complete in time'],
  body_timeout: [408, 'body stalled'],
  target_too_long: [414, 'target too long'],
  unsupported_expectation: [417, 'expectation is not 100-continue'],
  head_too_large: [431, 'head too long'],
  too_many_headers: [431, 'too many header fields'],
  connect_not_supported: [501, 'CONNECT is not supported'],
  unsupported_version: [505, 'only HTTP/1.0 and HTTP/1.1 are spoken'],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type HttpRefusalCode = keyof typeof REFUSALS

/** Bytes that were not accepted, and the answer that goes with it. A value, never thrown. */
export interface HttpRefusal {
  readonly kind: 'refused'
  readonly code: HttpRefusalCode
  readonly status: number
  readonly message: string
}

const REFUSAL_OF = Object.fromEntries(
  Object.entries(REFUSALS).map(([code, [status, message]]) => [code, { kind: 'refused', code, status, message }]),
) as Record<HttpRefusalCode, HttpRefusal>

export const HTTP_REFUSAL_CODES = Object.keys(REFUSALS) as readonly HttpRefusalCode[]

export function refusalOf(code: HttpRefusalCode): HttpRefusal {
  return REFUSAL_OF[code]
}
