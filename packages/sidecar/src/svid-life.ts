import type { X509Svid } from '@picket/identity'
import { createWatch, formatDuration, type Clock, type Logger, type Watch } from '@picket/runtime'

/** How much of an SVID's life is spent. Renewal happens around `half`; whatever comes after means that it does not succeed. */
export type SvidLife = 'absent' | 'fresh' | 'half' | 'late' | 'critical' | 'expired'

interface Stage {
  readonly life: SvidLife
  readonly fromShare: number
}

const STAGES: readonly Stage[] = [
  { life: 'expired', fromShare: 1 },
  { life: 'critical', fromShare: 0.9 },
  { life: 'late', fromShare: 0.75 },
  { life: 'half', fromShare: 0.5 },
  { life: 'fresh', fromShare: 0 },
]

/** Issuers set notBefore somewhat before the instant of issue, against clock skew: that much is not life. */
const BACKDATING_MS = 60_000

/** Timers stand still while a machine is suspended, SVIDs do not: the wall clock is looked at this often. */
const LONGEST_WAIT_MS = 30_000

const ALARMS = {
  half: ['info', 'svid is past half of its life'],
  late: ['warn', 'svid is past three quarters of its life'],
  critical: ['error', 'svid is past nine tenths of its life'],
  expired: ['error', 'svid has expired'],
} as const satisfies Partial<Record<SvidLife, readonly [keyof Logger, string]>>

/** The stage at `nowMs` of a life that counts from `fromMs` to `toMs`. */
export function svidLifeAt(fromMs: number, toMs: number, nowMs: number): SvidLife {
  return STAGES.find((stage) => nowMs >= startOf(stage, fromMs, toMs))?.life ?? 'fresh'
}

function startOf({ fromShare }: Stage, fromMs: number, toMs: number): number {
  return fromMs + fromShare * (toMs - fromMs)
}

/**
 * Follows the SVID from stage to stage and raises an alarm in the log at 50, 75 and 90 % of its life and at its end. The
 * life counts from the SVID's arrival, or from `BACKDATING_MS` after its notBefore if it arrives later than that.
 */
export function watchSvidLife(
  deps: { readonly clock: Clock; readonly logger: Logger },
  svid: Watch<X509Svid | undefined>,
): Watch<SvidLife> & Disposable {
  const life = createWatch<SvidLife>('absent')
  let timer: Disposable | undefined
  const subscription = svid.subscribe(begin)
  begin(svid.value)

  function begin(next: X509Svid | undefined): void {
    if (next) follow(next, Math.min(deps.clock.now(), next.notBefore.getTime() + BACKDATING_MS))
  }

  function follow(current: X509Svid, fromMs: number): void {
    timer?.[Symbol.dispose]()
    const toMs = current.notAfter.getTime()
    const nowMs = deps.clock.now()
    const stage = svidLifeAt(fromMs, toMs, nowMs)
    if (stage !== life.value) raise(stage, current, toMs - nowMs)
    life.set(stage)
    const nextMs = STAGES.map((entry) => startOf(entry, fromMs, toMs)).findLast((atMs) => atMs > nowMs)
    if (nextMs === undefined) return
    timer = deps.clock.after(Math.min(nextMs - nowMs, LONGEST_WAIT_MS), () => follow(current, fromMs))
  }

  function raise(stage: SvidLife, { id, notAfter }: X509Svid, leftMs: number): void {
    if (!(stage in ALARMS)) return
    const [level, message] = ALARMS[stage as keyof typeof ALARMS]
    deps.logger[level](message, { spiffeId: id.uri, notAfter, left: formatDuration(leftMs) })
  }

  return {
    get value() {
      return life.value
    },
    subscribe: (listener) => life.subscribe(listener),
    [Symbol.dispose]: () => {
      subscription[Symbol.dispose]()
      timer?.[Symbol.dispose]()
    },
  }
}
