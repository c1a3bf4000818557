import { RuntimeError } from './runtime-error.ts'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** `90s`, `1h30m`, `250ms`, `0s` → milliseconds. Throws `ERR_DURATION` on anything else, bare numbers included. */
export function parseDuration(text: string): number {
  if (!/^(\d{1,9}(ms|s|m|h|d))+$/.test(text)) {
    throw new RuntimeError('ERR_DURATION', `"${text}" is not a duration: write 500ms, 30s, 10m, 1h or 1h30m`)
  }
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]
  }
  return totalMs
}

/** Milliseconds → the two largest units that matter: `59m 12s`, `3d 4h`, `250ms`. Negative spans keep their sign. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`
  const roundedMs = Math.round(durationMs)
  if (roundedMs < 1000) return `${roundedMs}ms`
  const parts: string[] = []
  let restMs = roundedMs
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(restMs / UNIT_MS[unit])
    restMs -= count * UNIT_MS[unit]
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`)
    if (parts.length === 2) break
  }
  return parts.filter((part, index) => index === 0 || !part.startsWith('0')).join(' ')
}
