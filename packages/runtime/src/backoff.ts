import type { Random } from './random.ts'

export interface BackoffLimits {
  readonly firstMs: number
  readonly maxMs: number
}

/**
 * Exponential delay with full jitter over its upper half: attempt 1 waits `firstMs`/2…`firstMs`, each later attempt
 * twice as long up to `maxMs`. A pure function: the caller counts attempts and resets them on success.
 */
export function backoffMs(attempt: number, limits: BackoffLimits, random: Random): number {
  const ceiling = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt - 1, 30))
  return ceiling / 2 + (ceiling / 2) * random.fraction()
}
