import { sleepUnlessAborted, type Clock } from '@picket/runtime'

/** A loop's rest that others can end. */
export interface WakeUp {
  now(): void
  /**
   * Resolves at `atMs` (undefined = never by itself), when told `now`, or when `signal` aborts. After being told it still
   * rests for `gatherMs`: whatever else comes in that time is one reason to wake up with it.
   */
  wait(atMs: number | undefined, gatherMs: number, signal: AbortSignal): Promise<void>
}

export function createWakeUp(clock: Clock): WakeUp {
  let told = false
  let tell = (): void => {}
  return {
    now() {
      told = true
      tell()
    },
    async wait(atMs, gatherMs, signal) {
      const woken = new AbortController()
      tell = () => woken.abort()
      const either = AbortSignal.any([woken.signal, signal])
      const restMs = atMs === undefined ? Number.MAX_SAFE_INTEGER : atMs - clock.now()
      if (!told) await sleepUnlessAborted(clock, restMs, either)
      if (told && gatherMs > 0) await sleepUnlessAborted(clock, gatherMs, signal)
      told = false
      tell = () => {}
    },
  }
}
