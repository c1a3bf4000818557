import type { RequestHead } from '@picket/http'
import type { PolicyBundle } from './bundle.ts'
import { PolicyConnection } from './connection.ts'
import { allow, deny, type AllowDecision, type Decision } from './decision.ts'
import { orThrow, PolicyError, textOf } from './error.ts'
import type { InputContext } from './input.ts'
import { NOT_REPRESENTABLE } from './json-bytes.ts'
import { Projection, type ConnectionInput } from './projection.ts'
import { WHOLE_INPUT } from './reference.ts'
import { isTrue, readResults, reasonOf } from './result.ts'

/** One revision, deciding. Made by `createPolicyEngine`. */
export interface PolicyEngine extends Disposable {
  readonly revision: string
  /** SHA-256 of the bundle, hex. */
  readonly digest: string
  /** What a connection keeps; one made for another engine will do as well. */
  connect(context: InputContext): PolicyConnection
  /** Never throws: whatever goes wrong is a denial with its reason. */
  decide(connection: PolicyConnection, head: RequestHead): Decision
  /** The plain way, for tools and tests: undefined when the rule is. Throws `PolicyError`. */
  evaluate(entrypoint: string, input: unknown): unknown
}

/** A running module with its data. */
export interface Instance {
  /** All of it; another object after growth. */
  readonly memory: Uint8Array
  /** Where the input document is to be written. */
  readonly inputAt: number
  readonly hasGrown: boolean
  /** Evaluates on the document at `[inputAt, inputEnd)`. Returns where the result set is. */
  run(entrypoint: number, inputEnd: number): number
  evaluate(entrypoint: number, json: ArrayBuffer): readonly { readonly result: unknown }[]
}

/** Where instances of one module with one data document come from. */
export interface InstanceSource {
  readonly entrypoints: ReadonlyMap<string, number>
  instantiate(): Instance
}

interface Entrypoint {
  readonly id: number
  readonly projection: Projection
}

const MAX_DETAIL = 256

/**
 * Decides on ready bytes with an instance that is known to be whole. One that threw is never used again: a throw out of
 * Wasm leaves the module's stack pointer where it was, and after some five hundred of them every evaluation traps. Nor is
 * one that had to grow, for Wasm memory never shrinks.
 */
export class Decider implements PolicyEngine {
  readonly revision: string
  readonly digest: string
  readonly #source: InstanceSource
  readonly #allowed: AllowDecision
  readonly #decision: Entrypoint
  readonly #explanation: Entrypoint | undefined
  #instance: Instance | undefined
  #isDisposed = false

  /** Throws `ERR_POLICY_ENTRYPOINT`. */
  constructor(bundle: PolicyBundle, source: InstanceSource, entrypoint: string, explanation: string) {
    const decision = findEntrypoint(bundle, source, entrypoint)
    if (!decision) {
      const known = bundle.entrypoints.join(', ')
      throw new PolicyError('ERR_POLICY_ENTRYPOINT', `the bundle has no entrypoint "${entrypoint}", it has: ${known}`)
    }
    this.revision = bundle.revision
    this.digest = bundle.digest
    this.#source = source
    this.#allowed = allow(bundle.revision)
    this.#decision = decision
    this.#explanation = findEntrypoint(bundle, source, explanation)
  }

  connect(context: InputContext): PolicyConnection {
    return new PolicyConnection(context)
  }

  decide(connection: PolicyConnection, head: RequestHead): Decision {
    try {
      if (connection.owner !== this) this.#adopt(connection)
      const instance = this.#instance ?? this.#renew()
      const at = this.#run(instance, this.#decision, connection.decision!, head)
      if (at === NOT_REPRESENTABLE) return deny('input_not_representable', this.revision)
      if (isTrue(instance.memory, at)) return this.#allowed
      const reason = reasonOf(readResults(instance.memory, at))
      return deny(reason, this.revision, reason === 'policy_denied' ? this.#explain(connection, head) : '')
    } catch (thrown) {
      this.#instance = undefined
      return deny('policy_error', this.revision, textOf(thrown).slice(0, MAX_DETAIL))
    }
  }

  evaluate(entrypoint: string, input: unknown): unknown {
    const id = this.#source.entrypoints.get(entrypoint)
    if (id === undefined) {
      throw new PolicyError('ERR_POLICY_ENTRYPOINT', `the policy has no entrypoint "${entrypoint}"`)
    }
    const json = encodeInput(input)
    const instance = this.#instance ?? this.#renew()
    this.#instance = undefined
    const results = orThrow('ERR_POLICY_EVALUATION', `${entrypoint} failed`, () => instance.evaluate(id, json))
    if (!instance.hasGrown) this.#instance = instance
    if (results.length > 1) throw new PolicyError('ERR_POLICY_EVALUATION', `${entrypoint} gave more than one result`)
    return results[0]?.result
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#instance = undefined
  }

  /** Input in, result out; the offset of the result set in the instance's memory. */
  #run(instance: Instance, { id, projection }: Entrypoint, input: ConnectionInput, head: RequestHead): number {
    const end = projection.write(input, head, instance.memory, instance.inputAt)
    if (end === NOT_REPRESENTABLE) return NOT_REPRESENTABLE
    const at = instance.run(id, end)
    if (instance.hasGrown) this.#instance = undefined
    return at
  }

  /** The policy's own words on a denial; trouble here changes nothing about the denial. */
  #explain(connection: PolicyConnection, head: RequestHead): string {
    if (!this.#explanation) return ''
    try {
      const instance = this.#instance ?? this.#renew()
      const at = this.#run(instance, this.#explanation, connection.explanation!, head)
      const [text] = at === NOT_REPRESENTABLE ? [] : readResults(instance.memory, at)
      return typeof text === 'string' ? text.slice(0, MAX_DETAIL) : ''
    } catch {
      this.#instance = undefined
      return ''
    }
  }

  #adopt(connection: PolicyConnection): void {
    connection.decision = this.#decision.projection.bind(connection.context)
    connection.explanation = this.#explanation?.projection.bind(connection.context)
    connection.owner = this
  }

  #renew(): Instance {
    if (this.#isDisposed) throw new PolicyError('ERR_POLICY_DISPOSED', 'this revision is no longer in force')
    return (this.#instance = this.#source.instantiate())
  }
}

function findEntrypoint(
  { entrypoints, metadata }: PolicyBundle,
  source: InstanceSource,
  name: string,
): Entrypoint | undefined {
  const id = source.entrypoints.get(name)
  if (id === undefined || !entrypoints.includes(name)) return undefined
  return { id, projection: new Projection(metadata?.input[name] ?? WHOLE_INPUT) }
}

/**
 * Only objects are documents: the SDK drops `0`, `false`, `""` and `null`, makes an object of keys out of bytes and takes
 * whatever is in an `ArrayBuffer` for JSON; and Rego then reads `undefined`, where `not input.blocked` is true.
 */
function encodeInput(input: unknown): ArrayBuffer {
  const prototype: unknown = typeof input === 'object' && input !== null ? Object.getPrototypeOf(input) : undefined
  const isPlain = prototype === Object.prototype || prototype === null
  const text = isPlain ? orThrow('ERR_POLICY_INPUT', 'not a document', () => JSON.stringify(input)) : undefined
  if (!text?.startsWith('{')) throw new PolicyError('ERR_POLICY_INPUT', 'policy input must be a plain object')
  return Uint8Array.from(Buffer.from(text)).buffer
}
