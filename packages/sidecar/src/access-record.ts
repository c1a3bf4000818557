import type { ExchangeOutcome, RequestHead } from '@picket/http'
import { formatHostPort, type HostPort } from '@picket/runtime'
import type { RecordBuffer } from './record-buffer.ts'
import { REQUEST_ID_LENGTH } from './request-id.ts'

/** What a request's line is made of; implemented by the connection objects, so that no object is made per request. */
export interface RequestRecord {
  /** `,"kind":"request",…` as made by `connectionFields`. */
  readonly connectionFields: Buffer
  /** `,"decision":…` as made by `decisionFields`. */
  readonly decisionFields: Buffer
  readonly head: RequestHead
  readonly outcome: ExchangeOutcome
  /** Monotonic, see `Exchange.startedMs`. */
  readonly startedMs: number
  /** 36 ASCII bytes at `requestIdAt`. */
  readonly requestIdBytes: Buffer
  readonly requestIdAt: number
}

export interface RefusalRecord {
  /** `revoked`: a live connection that the deny-list has ended. */
  readonly kind: 'handshake' | 'malformed' | 'revoked'
  readonly direction: Direction
  readonly service: string
  readonly caller?: string
  readonly peer: HostPort | undefined
  readonly status?: number
  readonly reason: string
  readonly message: string
}

export type Direction = 'inbound' | 'outbound'

/** Constant part of a connection's request lines, rendered once. */
export function connectionFields(fields: {
  readonly direction: Direction
  readonly service: string
  readonly caller: string
  readonly callee?: string
  readonly peer: HostPort | undefined
}): Buffer {
  const { peer, ...rest } = fields
  return toFields({ kind: 'request', ...rest, peer: peer ? formatHostPort(peer) : '' })
}

/** Constant part of a decision, rendered once per revision and outcome. */
export function decisionFields(decision: string, reason: string, detail: string, revision: string): Buffer {
  const shown = detail === '' ? {} : { detail: detail.slice(0, LONGEST_TEXT) }
  return toFields({ decision, reason, ...shown, revision: revision.slice(0, LONGEST_TEXT) })
}

function toFields(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(`,${JSON.stringify(fields).slice(1, -1)}`)
}

/** No record is longer: constants are bounded by SPIFFE's 2048 bytes per ID, the path and all other text here. */
export const LONGEST_RECORD = 24 * 1024
const LONGEST_PATH = 1024
const LONGEST_METHOD = 32
const LONGEST_TEXT = 256

const METHOD = Buffer.from(',"method":"')
const PATH = Buffer.from('","path":"')
const CUT = Buffer.from('…')
const STATUS = Buffer.from('","status":')
const DECISION_ID = Buffer.from(',"decision_id":"')
const DURATION = Buffer.from('","duration_us":')
const REQUEST_BYTES = Buffer.from(',"request_bytes":')
const RESPONSE_BYTES = Buffer.from(',"response_bytes":')
const UPSTREAM = Buffer.from(',"upstream_us":')
const FLAG = Buffer.from(',"flag":"')
const END = Buffer.from('"}\n')

/** Everything after the time. */
export function writeRequest(line: RecordBuffer, record: RequestRecord): void {
  const { head, outcome } = record
  line.copyBlock(record.connectionFields)
  line.copy(METHOD)
  line.escaped(head.bytes, head.methodStart, Math.min(head.methodEnd, head.methodStart + LONGEST_METHOD))
  line.copy(PATH)
  const pathEnd = Math.min(head.pathEnd, head.pathStart + LONGEST_PATH)
  line.escaped(head.bytes, head.pathStart, pathEnd)
  if (pathEnd < head.pathEnd) line.copy(CUT)
  line.copy(STATUS)
  line.integer(outcome.status)
  line.copyBlock(record.decisionFields)
  line.copy(DECISION_ID)
  line.copy(record.requestIdBytes, record.requestIdAt, record.requestIdAt + REQUEST_ID_LENGTH)
  line.copy(DURATION)
  line.integer(outcome.durationMs * 1000)
  line.copy(REQUEST_BYTES)
  line.integer(outcome.requestBytes)
  line.copy(RESPONSE_BYTES)
  line.integer(outcome.responseBytes)
  line.copy(UPSTREAM)
  line.integer(outcome.upstreamMs * 1000)
  line.copy(FLAG)
  if (outcome.flag !== '') writeFlag(line, outcome)
  line.copy(END)
}

/** The rare case: what went wrong, and more about it where there is more. */
function writeFlag(line: RecordBuffer, { flag, detail }: ExchangeOutcome): void {
  line.text(detail === '' ? flag : `${flag}","cause":${JSON.stringify(detail.slice(0, LONGEST_TEXT)).slice(0, -1)}`)
}

/** Everything after the time. */
export function writeRefusal(line: RecordBuffer, { peer, message, ...fields }: RefusalRecord): void {
  const shown = {
    ...fields,
    decision: 'refuse',
    peer: peer ? formatHostPort(peer) : '',
    message: message.slice(0, LONGEST_TEXT),
  }
  line.text(`,${JSON.stringify(shown).slice(1)}\n`)
}
