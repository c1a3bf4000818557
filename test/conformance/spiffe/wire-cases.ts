import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2'
import type { ConformanceCase } from '../run.ts'
import { callWire, field, frame, openWire } from './wire.ts'

const METHODS = ['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTSVID', 'FetchJWTBundles', 'ValidateJWTSVID'] as const
const HEADER = { 'workload.spiffe.io': 'true' }

const OK = 'ok'
const INVALID = '3'
const DENIED = '7'
const EXHAUSTED = '8'
const UNIMPLEMENTED = '12'

interface WireCase {
  readonly name: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Buffer
  readonly until?: number
  /** One of these. */
  readonly expected: readonly string[]
  /** Found in the first message. */
  readonly holds?: string
  /** Found in the status message. */
  readonly says?: string
}

const api = (method: string): string => `/SpiffeWorkloadAPI/${method}`
const audiences = (...values: readonly string[]): Buffer => frame(Buffer.concat(values.map((value) => field(1, value))))

const HEADER_CASES: readonly WireCase[] = METHODS.flatMap((method): WireCase[] => [
  { name: `rule 52: ${method} without the security header`, path: api(method), expected: [INVALID] },
  ...['True', 'TRUE', 'false', '1', ''].map((value): WireCase => {
    const headers = { 'workload.spiffe.io': value }
    return { name: `rule 52: ${method} with the header "${value}"`, path: api(method), headers, expected: [INVALID] }
  }),
])

const BYTES_CASES: readonly WireCase[] = METHODS.flatMap((method): WireCase[] => [
  {
    name: `${method} with garbage for a message`,
    path: api(method),
    body: frame(Buffer.from([0xff])),
    expected: [INVALID],
  },
  {
    name: `${method} with garbage and no header: the header is looked at first`,
    says: 'security header',
    path: api(method),
    headers: {},
    body: frame(Buffer.from([0xff])),
    expected: [INVALID],
  },
  {
    name: `${method} with a frame of 4 GiB`,
    path: api(method),
    body: frame(Buffer.alloc(8), 0, 2 ** 32 - 1),
    expected: [EXHAUSTED],
  },
])

const METHOD_CASES: readonly WireCase[] = [
  { name: 'rule 43: FetchWITSVID is not implemented', path: api('FetchWITSVID'), expected: [UNIMPLEMENTED] },
  { name: 'rule 55: a method that there is not', path: api('Nobody'), expected: [UNIMPLEMENTED] },
  { name: 'a service that there is not', path: '/nobody.Service/Call', expected: [UNIMPLEMENTED] },
  { name: 'rule 66: FetchJWTSVID without an audience', path: api('FetchJWTSVID'), expected: [INVALID] },
  {
    name: 'rule 60: FetchJWTSVID with an empty audience',
    path: api('FetchJWTSVID'),
    body: audiences(''),
    expected: [INVALID],
  },
  {
    name: 'FetchJWTSVID with 1 000 audiences',
    path: api('FetchJWTSVID'),
    body: audiences(...Array.from({ length: 1000 }, String)),
    expected: [INVALID],
  },
  {
    name: 'FetchJWTSVID with 500 000 bytes of audiences',
    path: api('FetchJWTSVID'),
    body: audiences(...Array.from({ length: 50_000 }, () => 'audience')),
    expected: [EXHAUSTED],
  },
  {
    name: 'FetchJWTSVID with an audience of 3 000 bytes',
    path: api('FetchJWTSVID'),
    body: audiences('a'.repeat(3000)),
    expected: [INVALID],
  },
  {
    name: 'rule 66: FetchJWTSVID for the ID of somebody else',
    path: api('FetchJWTSVID'),
    body: frame(Buffer.concat([field(1, 'a'), field(2, 'spiffe://bank.test/somebody-else')])),
    expected: [DENIED],
  },
  {
    name: 'FetchJWTSVID for what is no SPIFFE ID',
    path: api('FetchJWTSVID'),
    body: frame(Buffer.concat([field(1, 'a'), field(2, 'nonsense')])),
    expected: [DENIED, INVALID],
  },
  {
    name: 'rule 67: ValidateJWTSVID without an audience',
    path: api('ValidateJWTSVID'),
    body: frame(field(2, 'a.b.c')),
    expected: [INVALID],
  },
  {
    name: 'rule 67: ValidateJWTSVID without a token',
    path: api('ValidateJWTSVID'),
    body: frame(field(1, 'a')),
    expected: [INVALID],
  },
  {
    name: 'ValidateJWTSVID with nonsense for a token',
    path: api('ValidateJWTSVID'),
    body: frame(Buffer.concat([field(1, 'a'), field(2, 'a.b.c')])),
    expected: [INVALID],
  },
  {
    name: 'rule 31: ValidateJWTSVID with a token of algorithm none',
    path: api('ValidateJWTSVID'),
    body: frame(Buffer.concat([field(1, 'a'), field(2, unsigned())])),
    expected: [INVALID],
  },
  {
    name: 'gRPC health: serving',
    path: '/grpc.health.v1.Health/Check',
    headers: {},
    expected: [OK, '0'],
    holds: '\x08\x01',
  },
  {
    name: 'rule 56: gRPC reflection lists the service',
    path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    headers: {},
    body: frame(field(7, '*')),
    expected: [OK, '0'],
    holds: 'SpiffeWorkloadAPI',
  },
]

const ALIVE: WireCase = {
  name: 'after all this it still answers',
  path: api('FetchX509SVID'),
  expected: [OK, '0'],
  holds: 'spiffe://',
}

/** Bad and good input by hand, each with the status that the standard has for it. */
export async function wireCases(socket: string, report: (found: ConformanceCase) => void): Promise<void> {
  const headerless = HEADER_CASES.map((given) => ({ headers: {}, ...given }))
  for (const given of [
    ...headerless,
    ...[...BYTES_CASES, ...METHOD_CASES, ALIVE].map((one) => ({ headers: HEADER, ...one })),
  ]) {
    const session = openWire(socket) // one each: no case may harm the next by its connection
    report(await tryCase(session, given))
    session.destroy()
  }
}

async function tryCase(session: ClientHttp2Session, given: WireCase): Promise<ConformanceCase> {
  const { status, message, messages } = await callWire(session, given)
  const held = given.holds === undefined || (messages[0]?.includes(given.holds, 0, 'latin1') ?? false)
  const said = message.includes(given.says ?? '')
  const passed = given.expected.includes(status) && held && said
  return { name: given.name, passed, detail: `status ${status} ${message}, ${messages.length} messages` }
}

function unsigned(): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode({ sub: 'spiffe://bank.test/payments', aud: ['a'], exp: 4e9 })}.`
}
