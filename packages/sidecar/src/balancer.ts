import { backoffMs, type Clock, type Random } from '@picket/runtime'

/**
 * Chooses among the endpoints of a service: one after the other, except those that could not be reached lately. An
 * endpoint that fails is left out for a time that doubles with each further failure; when all are out, the one whose time
 * ends first is tried, since a guess is better than a certain refusal.
 */
export interface Balancer<T> {
  /** Keeps what is known of endpoints whose key was there before. */
  update(endpoints: ReadonlyMap<string, T>): void
  pick(): Endpoint<T> | undefined
}

export interface Endpoint<T> {
  readonly value: T
  /** A connection could not be made, or not to the right peer. */
  failed(): void
  succeeded(): void
}

const EJECTION = { firstMs: 1000, maxMs: 30_000 } as const

export function createBalancer<T>({ clock, random }: { clock: Clock; random: Random }): Balancer<T> {
  let members = new Map<string, Member<T>>()
  let ring: readonly Member<T>[] = []
  let turn = 0

  return {
    update(endpoints) {
      const next = [...endpoints].map(([key, value]): [string, Member<T>] => {
        const known = members.get(key)
        return [key, known?.value === value ? known : new Member(value, clock, random)]
      })
      members = new Map(next)
      ring = [...members.values()]
    },
    pick() {
      const nowMs = clock.monotonicMs()
      let soonest: Member<T> | undefined
      for (let tried = 0; tried < ring.length; tried++) {
        const member = ring[turn++ % ring.length]!
        if (member.outUntilMs <= nowMs) return member
        if (!soonest || member.outUntilMs < soonest.outUntilMs) soonest = member
      }
      return soonest
    },
  }
}

class Member<T> implements Endpoint<T> {
  readonly value: T
  outUntilMs = -Infinity
  #failures = 0
  readonly #clock: Clock
  readonly #random: Random

  constructor(value: T, clock: Clock, random: Random) {
    this.value = value
    this.#clock = clock
    this.#random = random
  }

  failed(): void {
    this.#failures += 1
    this.outUntilMs = this.#clock.monotonicMs() + backoffMs(this.#failures, EJECTION, this.#random)
  }

  succeeded(): void {
    if (this.#failures === 0) return
    this.#failures = 0
    this.outUntilMs = -Infinity
  }
}
