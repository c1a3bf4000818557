import type { Clock } from '@picket/runtime'

/** A connection takes no new request in this last part of its peer's SVID, so that none is cut off at the end. */
const LAST_CALL_MS = 10_000
/** Clocks jump and timers have a longest delay: the time is looked at this often, also without an expiry in sight. */
export const EXPIRY_LOOK_MS = 30_000

/** Ten seconds before the end, or the last tenth of a short life. */
export function lastCallMs(endMs: number, nowMs: number): number {
  return endMs - Math.min(LAST_CALL_MS, (endMs - nowMs) / 10)
}

/** Calls `lastCall` shortly before `notAfter` and `end` then, unless disposed before. */
export function watchExpiry(
  clock: Clock,
  notAfter: Date,
  on: { readonly lastCall: () => void; readonly end: () => void },
): Disposable {
  const endMs = notAfter.getTime()
  const callMs = lastCallMs(endMs, clock.now())
  let called = false
  let timer = waitUntil(callMs)

  function waitUntil(atMs: number): Disposable {
    return clock.after(Math.max(1, Math.min(atMs - clock.now(), EXPIRY_LOOK_MS)), look)
  }

  function look(): void {
    const nowMs = clock.now()
    if (nowMs >= endMs) return on.end()
    if (nowMs >= callMs && !called) {
      called = true
      on.lastCall()
    }
    timer = waitUntil(called ? endMs : callMs)
  }

  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}
