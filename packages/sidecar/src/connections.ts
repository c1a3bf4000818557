import { reverify, type VerifiedPeer } from '@picket/mtls'
import type { BundleSource } from '@picket/identity'
import type { Clock } from '@picket/runtime'
import { EXPIRY_LOOK_MS, lastCallMs } from './peer-expiry.ts'

/** An accepted connection as the registry sees it. */
export interface LiveConnection {
  readonly peer: VerifiedPeer
  /** True while an exchange is in flight. */
  readonly busy: boolean
  /** Lets the exchange in flight finish and closes. */
  drain(): void
  /** The peer is on the deny-list: ends at once, the exchange in flight with it, and leaves a record. */
  revoke(message: string): void
  destroy(): void
}

/**
 * The one registry of live work: whoever wants to end connections — because the peer's SVID ends, its authority is no
 * longer trusted, the sidecar stops — does it here, and no other list is kept.
 */
export interface Connections extends Disposable {
  readonly size: number
  /** From now until the result is disposed. A connection is drained shortly before its peer's SVID ends, and gone then. */
  track(connection: LiveConnection): Disposable
  /** Drains the connections whose peer the predicate picks; returns how many. */
  drainWhere(picks: (peer: VerifiedPeer) => boolean): number
  /**
   * Ends the connections whose peer would not be let in any more: at once where it is on the deny-list, else when the
   * exchange in flight is over. Returns how many.
   */
  reverify(bundles: BundleSource): number
  /** Drains all, waits until they are gone or `deadline` aborts, and destroys the rest. Returns exchanges cut off. */
  drain(deadline: AbortSignal): Promise<number>
}

export function createConnections(clock: Clock): Connections {
  return new Registry(clock)
}

class Registry implements Connections {
  readonly #clock: Clock
  readonly #entries = new Set<Entry>()
  #wake: Disposable | undefined
  #wakeAtMs = Infinity
  #isDraining = false
  #onEmpty: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  track(connection: LiveConnection): Disposable {
    const entry = toEntry(connection, this.#clock.now())
    this.#entries.add(entry)
    this.#wakeAt(entry.lastCallMs)
    if (this.#isDraining) connection.drain()
    return {
      [Symbol.dispose]: () => {
        this.#entries.delete(entry)
        if (this.#entries.size === 0) this.#onEmpty?.()
      },
    }
  }

  drainWhere(picks: (peer: VerifiedPeer) => boolean): number {
    const picked = [...this.#entries].filter(({ connection }) => picks(connection.peer))
    for (const { connection } of picked) connection.drain()
    return picked.length
  }

  reverify(bundles: BundleSource): number {
    const now = new Date(this.#clock.now())
    let ended = 0
    for (const { connection } of this.#entries) {
      const verdict = reverify(connection.peer, bundles, now)
      if (verdict.kind === 'verified') continue
      ended += 1
      if (verdict.code === 'revoked') connection.revoke(verdict.message)
      else connection.drain()
    }
    return ended
  }

  async drain(deadline: AbortSignal): Promise<number> {
    this.#isDraining = true
    this.drainWhere(() => true)
    if (this.#entries.size > 0 && !deadline.aborted) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    const left = [...this.#entries].filter(({ connection }) => connection.busy).length
    this.#destroyAll()
    return left
  }

  [Symbol.dispose](): void {
    this.#wake?.[Symbol.dispose]()
    this.#destroyAll()
  }

  #destroyAll(): void {
    for (const { connection } of this.#entries) connection.destroy()
  }

  #wakeAt(atMs: number): void {
    const nowMs = this.#clock.now()
    const boundedMs = Math.min(atMs, nowMs + EXPIRY_LOOK_MS)
    if (boundedMs >= this.#wakeAtMs) return
    this.#wake?.[Symbol.dispose]()
    this.#wakeAtMs = boundedMs
    this.#wake = this.#clock.after(Math.max(1, boundedMs - nowMs), () => this.#sweep())
  }

  #sweep(): void {
    this.#wake = undefined
    this.#wakeAtMs = Infinity
    const nowMs = this.#clock.now()
    let nextMs = Infinity
    for (const entry of this.#entries) nextMs = Math.min(nextMs, attend(entry, nowMs))
    if (this.#entries.size > 0) this.#wakeAt(nextMs)
  }
}

interface Entry {
  readonly connection: LiveConnection
  readonly lastCallMs: number
  readonly endMs: number
  drained: boolean
}

function toEntry(connection: LiveConnection, nowMs: number): Entry {
  const endMs = connection.peer.notAfter.getTime()
  return { connection, lastCallMs: lastCallMs(endMs, nowMs), endMs, drained: false }
}

/** Does what is due and returns when something is due next. */
function attend(entry: Entry, nowMs: number): number {
  if (nowMs >= entry.endMs) {
    entry.connection.destroy()
    return Infinity
  }
  if (nowMs < entry.lastCallMs) return entry.lastCallMs
  if (!entry.drained) {
    entry.drained = true
    entry.connection.drain()
  }
  return entry.endMs
}
