import { createHeaderNameSet } from './header-name-set.ts'

/**
 * The headers that this package itself understands. Ids are positions in this list plus one; hop-by-hop ones
 * (RFC 9110 §7.6.1) come first so that one comparison tells them apart.
 */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te', 'http2-settings'] as const
const FRAMING = ['host', 'content-length', 'transfer-encoding', 'expect'] as const

export const KNOWN_HEADERS = createHeaderNameSet([...HOP_BY_HOP, ...FRAMING])

export const OTHER = 0
export const CONNECTION = idOf('connection')
export const KEEP_ALIVE = idOf('keep-alive')
export const LAST_HOP_BY_HOP = HOP_BY_HOP.length
export const HOST = idOf('host')
export const CONTENT_LENGTH = idOf('content-length')
export const TRANSFER_ENCODING = idOf('transfer-encoding')
export const EXPECT = idOf('expect')

/** The id given to a header that the sender's Connection header named: hop-by-hop, whatever it is. */
export const NOMINATED = CONNECTION

function idOf(name: (typeof HOP_BY_HOP | typeof FRAMING)[number]): number {
  return KNOWN_HEADERS.names.indexOf(name) + 1
}

/**
 * Fields that no trailer may carry (RFC 9110 §6.5.1): framing, routing, authentication and everything hop-by-hop. A
 * recipient that merges trailers into its headers would otherwise take them for what was decided upon.
 */
export const FORBIDDEN_TRAILERS = createHeaderNameSet([
  ...HOP_BY_HOP,
  ...FRAMING,
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'forwarded',
  'max-forwards',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'set-cookie',
  'trailer',
  'www-authenticate',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
])
