/** One way of doing a piece of work, measured: CPU time of all threads, so that neither cores nor waiting count. */
export interface Metered {
  readonly name: string
  /** CPU microseconds for each piece, one figure a round. */
  readonly rounds: readonly number[]
}

export interface Contestant {
  readonly name: string
  /** Does about `seconds` of work and says what it took. */
  measure(seconds: number): Promise<{ readonly count: number; readonly cpuSeconds: number }>
}

/** Round by round in turn, after a short warm-up of each, so that a noisy minute touches all. */
export async function meter(
  contestants: readonly Contestant[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Metered[]> {
  for (const contestant of contestants) await contestant.measure(0.3)
  const figures = contestants.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const { count, cpuSeconds } = await contestant.measure(seconds)
      figures[index]!.push((cpuSeconds / count) * 1e6)
    }
  }
  return contestants.map(({ name }, index) => ({ name, rounds: figures[index]! }))
}

/** Work in this process. */
export function inProcess(name: string, work: () => Promise<number> | number): Contestant {
  return {
    name,
    async measure(seconds) {
      const from = process.cpuUsage()
      const endMs = performance.now() + seconds * 1000
      let count = 0
      while (performance.now() < endMs) count += await work()
      const { user, system } = process.cpuUsage(from)
      return { count, cpuSeconds: (user + system) / 1e6 }
    },
  }
}
