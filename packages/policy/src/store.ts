import { createTurns, createWatch, type Watch } from '@picket/runtime'
import { loadPolicyBundle } from './bundle.ts'
import type { PolicyEngine } from './decider.ts'
import { createPolicyEngine, type EngineOptions } from './engine.ts'

/** The policy in force. A bundle that is refused changes nothing: the last good one goes on deciding. */
export interface PolicyStore {
  /** Undefined until the first activation; then decisions are `denyWithoutPolicy()`. */
  readonly engine: Watch<PolicyEngine | undefined>
  /**
   * Parses, instantiates, tries and then swaps. Calls take effect in the order in which they were made; the bundle that
   * is in force already is left alone. Throws `PolicyError`, and then nothing has changed.
   */
  activate(bytes: Uint8Array): Promise<PolicyEngine>
}

export function createPolicyStore(options: EngineOptions = {}): PolicyStore {
  const engine = createWatch<PolicyEngine | undefined>(undefined)
  const inTurn = createTurns()

  const replace = async (bytes: Uint8Array): Promise<PolicyEngine> => {
    const bundle = await loadPolicyBundle(bytes)
    const previous = engine.value
    if (previous?.digest === bundle.digest) return previous
    const next = await createPolicyEngine(bundle, options)
    engine.set(next)
    previous?.[Symbol.dispose]()
    return next
  }

  return {
    engine,
    activate: (bytes) => inTurn(() => replace(bytes)),
  }
}
