/** A TLS session and the server chain that was verified when it was made. */
export interface Session {
  readonly ticket: Buffer
  readonly chain: readonly Buffer[]
}

/** Sessions by target, newest last, each used once; bounded per target and in targets. */
export class SessionCache {
  readonly #sessions = new Map<string, Session[]>()
  readonly #perTarget: number
  readonly #targets: number
  #generation = 0

  constructor(limits: { readonly perTarget?: number; readonly targets?: number } = {}) {
    this.#perTarget = limits.perTarget ?? 16
    this.#targets = limits.targets ?? 256
  }

  /** Sessions of connections that were dialled in an earlier generation are not kept. */
  get generation(): number {
    return this.#generation
  }

  add(key: string, session: Session, generation: number): void {
    if (generation !== this.#generation) return
    const kept = this.#sessions.get(key) ?? []
    this.#sessions.delete(key)
    this.#sessions.set(key, kept)
    kept.push(session)
    if (kept.length > this.#perTarget) kept.shift()
    if (this.#sessions.size <= this.#targets) return
    const oldest = this.#sessions.keys().next()
    if (!oldest.done) this.#sessions.delete(oldest.value)
  }

  take(key: string): Session | undefined {
    return this.#sessions.get(key)?.pop()
  }

  clear(): void {
    this.#generation += 1
    this.#sessions.clear()
  }
}
