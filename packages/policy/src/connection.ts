import type { InputContext } from './input.ts'
import type { ConnectionInput } from './projection.ts'

/**
 * What a connection keeps for its decisions: the constant bytes of its input documents. They belong to one revision; an
 * engine that finds another's makes its own, so a live connection follows a policy swap by itself.
 */
export class PolicyConnection {
  readonly context: InputContext
  /** The engine that `decision` and `explanation` were made for. */
  owner: object | undefined
  decision: ConnectionInput | undefined
  explanation: ConnectionInput | undefined

  constructor(context: InputContext) {
    this.context = context
    this.owner = this.decision = this.explanation = undefined
  }
}

/** Once per connection; no engine is needed yet. */
export function createPolicyConnection(context: InputContext): PolicyConnection {
  return new PolicyConnection(context)
}
