/*
 * A session ticket carries the peer's leaf but not its intermediates, so a resumed connection shows a leaf whose issuer is
 * missing. The chain that came with the full handshake is remembered under the leaf's exact bytes and verified anew each
 * time. Forgetting is safe: the path does not close then, and the peer is refused until it makes a full handshake.
 */
export class ChainMemory {
  readonly #chains = new Map<string, readonly Buffer[]>()
  readonly #limits: { readonly chains: number; readonly bytes: number }
  #bytes = 0

  /** A peer may send up to 100 KB of certificates with each of its leaves, hence the bound on bytes. */
  constructor(limits: { readonly chains?: number; readonly bytes?: number } = {}) {
    this.#limits = { chains: limits.chains ?? 1024, bytes: limits.bytes ?? 8 * 1024 * 1024 }
  }

  /** Keeps a chain that was verified in a full handshake; a chain of one has nothing worth keeping. */
  remember(chain: readonly Buffer[]): void {
    const [leaf] = chain
    if (!leaf || chain.length === 1) return
    const key = leaf.toString('latin1')
    this.#forget(key)
    this.#chains.set(key, chain)
    this.#bytes += sizeOf(chain)
    for (const oldest of this.#chains.keys()) {
      if (this.#chains.size <= this.#limits.chains && this.#bytes <= this.#limits.bytes) return
      this.#forget(oldest)
    }
  }

  /** The remembered chain of this leaf, or just what was presented. */
  complete(presented: readonly Buffer[]): readonly Buffer[] {
    const [leaf] = presented
    return (leaf && presented.length === 1 && this.#chains.get(leaf.toString('latin1'))) || presented
  }

  #forget(key: string): void {
    const chain = this.#chains.get(key)
    if (!chain) return
    this.#chains.delete(key)
    this.#bytes -= sizeOf(chain)
  }
}

function sizeOf(chain: readonly Buffer[]): number {
  return chain.reduce((sum, { length }) => sum + length, 0)
}
