/**
 * The request target as policy reads it. Policy must decide on what the application will act on, so whatever two readers
 * could take for different paths has no form here and the request is denied: bad or non-UTF-8 escapes, escapes that hide
 * a separator or NUL, dot segments, empty segments (CVE-2019-9901, CVE-2021-31920).
 */

/** Raw path → segments, decoded once, as opa-envoy gives them (`/a/b/` → `a`, `b`, ``). Undefined when ambiguous. */
export function parsePath(path: string): readonly string[] | undefined {
  if (!isVisibleAscii(path) || /%(?:2f|5c|00)|\\/i.test(path)) return undefined
  const decoded = percentDecode(path)
  if (decoded === undefined) return undefined
  const segments = (decoded.startsWith('/') ? decoded.slice(1) : decoded).split('/')
  const ambiguous = segments.some(
    (segment, index) => segment === '.' || segment === '..' || (segment === '' && index < segments.length - 1),
  )
  return ambiguous ? undefined : segments
}

/** Raw query → name to values, by the rules of Go's `url.ParseQuery`. Undefined for `;` and for bad escapes. */
export function parseQuery(query: string): Readonly<Record<string, readonly string[]>> | undefined {
  if (!isVisibleAscii(query) || query.includes(';')) return undefined
  const values = new Map<string, string[]>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = percentDecode((equals < 0 ? pair : pair.slice(0, equals)).replaceAll('+', ' '))
    const value = percentDecode((equals < 0 ? '' : pair.slice(equals + 1)).replaceAll('+', ' '))
    if (name === undefined || value === undefined) return undefined
    const known = values.get(name)
    if (known) known.push(value)
    else values.set(name, [value])
  }
  return Object.fromEntries(values)
}

function isVisibleAscii(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text)
}

function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
