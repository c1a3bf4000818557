import { formatDuration, type Clock } from '@picket/runtime'

/** RFC 3339 in UTC for `-o json`; null for 0, which stands for "never" on the wire. */
export function toTimestamp(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString()
}

/** `in 59m 12s` or `3m 4s ago`, for tables; empty for null. */
export function toRelative(timestamp: string | null, clock: Clock): string {
  if (timestamp === null) return ''
  const leftMs = Date.parse(timestamp) - clock.now()
  return leftMs >= 0 ? `in ${formatDuration(leftMs)}` : `${formatDuration(-leftMs)} ago`
}
