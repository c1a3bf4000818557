import { INCOMPLETE, REFUSED } from './header-fields.ts'
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
import type { HttpRefusalCode } from './refusal.ts'
import { ScannedRequestHead } from './scanned-request-head.ts'

/** Small enough for tests to reach. */
export const LIMITS: HttpLimits = { ...DEFAULT_LIMITS, headBytes: 600, headers: 8, targetBytes: 200 }

/** What a scan must find, as plain values. */
export interface ReadHead {
  readonly method: string
  readonly target: string
  readonly minor: number
  readonly headers: Record<string, string>
  readonly contentLength: number
  readonly chunked: boolean
  readonly keepsAlive: boolean
  readonly end: number
}

function toRead(head: ScannedRequestHead, end: number): ReadHead {
  return {
    method: head.method,
    target: head.target,
    minor: head.version === '1.0' ? 0 : 1,
    headers: { ...head.headers() },
    contentLength: head.framing.contentLength,
    chunked: head.framing.chunked,
    keepsAlive: head.keepsAlive,
    end,
  }
}

export function scanWhole(text: string): ReadHead | HttpRefusalCode | undefined {
  return scanInPieces(text, [])
}

/** The whole or in pieces cut at these offsets, as a connection does it: only scans again when a line has ended. */
export function scanInPieces(text: string, cuts: readonly number[]): ReadHead | HttpRefusalCode | undefined {
  const bytes = Buffer.from(text, 'latin1')
  const head = new ScannedRequestHead(LIMITS)
  head.begin(0)
  let from = 0
  for (const to of [...new Set([...cuts.filter((cut) => cut <= bytes.length), bytes.length])].sort((a, b) => a - b)) {
    const mayDecide = from === 0 || bytes.subarray(from, to).includes(10) || to > LIMITS.headBytes
    from = to
    if (!mayDecide) continue
    const end = head.scan(Buffer.from(bytes.subarray(0, to)), to)
    if (end === REFUSED) return head.refusal
    if (end !== INCOMPLETE) return toRead(head, end)
  }
  return undefined
}

/** Every offset in `text`: cuts it into single bytes. */
export function everyOffset(text: string): number[] {
  return Array.from({ length: text.length }, (_, i) => i)
}
