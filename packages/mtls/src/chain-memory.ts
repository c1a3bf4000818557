/*
 * A session ticket carries the peer's leaf but not its intermediates, so a resumed connection shows a leaf whose issuer is
 * missing. The chain that came with the full handshake is remembered under the leaf's exact bytes and verified anew each
 * time. Forgetting is safe: the path does not close then, and the peer is refused until it makes a full handshake.
 */
export class ChainMemory {
  readonly #chains = new Map<string, readonly Buffer[]>()
  readonly #limit: number

  constructor(limit = 1024) {
    this.#limit = limit
  }

  /** Keeps a chain that was verified in a full handshake; a chain of one has nothing worth keeping. */
  remember(chain: readonly Buffer[]): void {
    const [leaf] = chain
    if (!leaf || chain.length === 1) return
    const key = leaf.toString('latin1')
    this.#chains.delete(key)
    this.#chains.set(key, chain)
    if (this.#chains.size <= this.#limit) return
    const oldest = this.#chains.keys().next()
    if (!oldest.done) this.#chains.delete(oldest.value)
  }

  /** The remembered chain of this leaf, or just what was presented. */
  complete(presented: readonly Buffer[]): readonly Buffer[] {
    const [leaf] = presented
    return (leaf && presented.length === 1 && this.#chains.get(leaf.toString('latin1'))) || presented
  }
}
