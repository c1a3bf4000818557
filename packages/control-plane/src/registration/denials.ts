import type { Denial } from '@picket/rpc'

/**
 * What was refused lately, so that "no identity" is not a riddle. Bounded and in memory: whoever is refused chooses how
 * often. The same refusal again takes its old place, newly dated, so that one sidecar that tries for ever does not push
 * out all others.
 */
export interface Denials {
  record(denial: Denial): void
  /** Newest first. */
  newest(limit: number, isWanted?: (denial: Denial) => boolean): readonly Denial[]
}

const MOST = 512

export function createDenials(): Denials {
  const kept = new Map<string, Denial>()
  return {
    record(denial) {
      const key = JSON.stringify([
        denial.spiffeId,
        denial.remote.replace(/:\d+$/, ''),
        denial.evidence,
        denial.reason,
        denial.facts,
      ])
      kept.delete(key)
      kept.set(key, denial)
      if (kept.size > MOST) kept.delete(kept.keys().next().value!)
    },
    newest: (limit, isWanted = () => true) => [...kept.values()].toReversed().filter(isWanted).slice(0, limit),
  }
}
