import * as opaWasm from '@open-policy-agent/opa-wasm'
import type { PolicyBundle } from './bundle.ts'
import { Decider, type Instance, type InstanceSource, type PolicyEngine } from './decider.ts'
import { orThrow, PolicyError } from './error.ts'
import { compilePolicyModule, requireBuiltins } from './policy-module.ts'
import { readJson } from './result.ts'
import { smokeTest } from './smoke.ts'
import type { WasmModule } from './wasm.ts'

/**
 * Rego in Wasm. One engine is one revision: module and data are fixed when it is made, so no update can leave it half
 * changed (OPA's own `setData` goes on with destroyed data after a failure), and a new revision is a new engine.
 */
export interface EngineOptions {
  /** The boolean rule that decides. */
  readonly entrypoint?: string
  /** The rule that explains a denial; a bundle may lack it. */
  readonly explanation?: string
}

export const DECISION_ENTRYPOINT = 'picket/authz/allow'
export const EXPLANATION_ENTRYPOINT = 'picket/authz/reason'

/** A fresh instance, tried on samples. Throws `PolicyError`; then nothing of it remains. */
export async function createPolicyEngine(bundle: PolicyBundle, options: EngineOptions = {}): Promise<PolicyEngine> {
  const { entrypoint = DECISION_ENTRYPOINT, explanation = EXPLANATION_ENTRYPOINT } = options
  const loaded = new LoadedModule(await compilePolicyModule(bundle.wasm), bundle.dataJson)
  const engine = new Decider(bundle, loaded, entrypoint, explanation)
  smokeTest(engine, entrypoint)
  return engine
}

/** The host builtins that a module asks for. Throws `ERR_BUNDLE_WASM`, `ERR_POLICY_BUILTIN`. */
export async function requiredBuiltins(wasm: Uint8Array): Promise<readonly string[]> {
  return new LoadedModule(await compilePolicyModule(wasm), Buffer.from('{}')).builtins
}

/** The SDK's types promise this as a named export; its module has it on the default export alone. */
const { loadPolicySync } = (opaWasm as unknown as { default: Pick<typeof opaWasm, 'loadPolicySync'> }).default

type SdkPolicy = opaWasm.LoadedPolicy
type WasmFunction = (...values: number[]) => number

const PAGE_BYTES = 65_536
/** Room for the module, its stack and two megabytes of input and evaluation. Untouched pages cost nothing. */
const INITIAL_PAGES = 48
/** Evaluation may grow memory by this much before it is cut off (16 MiB). */
const GROWTH_PAGES = 256
/** Measured: 14 bytes of Wasm memory for one byte of JSON. */
const DATA_EXPANSION = 20

/** A module with one data document. Making an instance costs 0.6 ms, and 40 ms per megabyte of data. */
class LoadedModule implements InstanceSource {
  readonly entrypoints: ReadonlyMap<string, number>
  readonly builtins: readonly string[]
  readonly #module: WasmModule
  /** As bytes, not as an object: numbers beyond 2^53 stay what they are. */
  readonly #data: ArrayBuffer
  readonly #pages: { readonly initial: number; readonly maximum: number }

  constructor(module: WasmModule, dataJson: Uint8Array) {
    const initial = INITIAL_PAGES + Math.ceil((DATA_EXPANSION * dataJson.length) / PAGE_BYTES)
    this.#module = module
    this.#data = Uint8Array.from(dataJson).buffer
    this.#pages = { initial, maximum: initial + GROWTH_PAGES }
    const sdk = orThrow('ERR_BUNDLE_WASM', 'policy.wasm does not start', () => this.#load())
    if (!(sdk.minorVersion >= 2)) throw new PolicyError('ERR_BUNDLE_WASM', 'policy.wasm is older than ABI 1.2')
    this.entrypoints = new Map(Object.entries(sdk.entrypoints as Record<string, number>))
    this.builtins = requireBuiltins(readBuiltins(sdk))
    orThrow('ERR_BUNDLE_DATA', "the bundle's data.json does not load", () => sdk.setData(this.#data))
  }

  instantiate(): Instance {
    const sdk = this.#load()
    sdk.setData(this.#data)
    return new WasmInstance(sdk)
  }

  #load(): SdkPolicy {
    return loadPolicySync(this.#module, { ...this.#pages })
  }
}

class WasmInstance implements Instance {
  readonly inputAt: number
  memory: Uint8Array
  hasGrown = false
  readonly #sdk: SdkPolicy
  readonly #dataAddr: number
  readonly #opaEval: WasmFunction

  constructor(sdk: SdkPolicy) {
    this.#sdk = sdk
    this.#dataAddr = sdk.dataAddr
    this.#opaEval = exportsOf(sdk)['opa_eval']!
    this.inputAt = sdk.dataHeapPtr as number
    this.memory = memoryOf(sdk)
  }

  /** ABI 1.2: parses the input, evaluates, dumps the result set as JSON; the heap starts anew behind the input. */
  run(entrypoint: number, inputEnd: number): number {
    const { inputAt } = this
    const at = this.#opaEval(0, entrypoint, this.#dataAddr, inputAt, inputEnd - inputAt, inputEnd, 0)
    if (this.memory.length === 0) this.#refresh()
    return at
  }

  evaluate(entrypoint: number, json: ArrayBuffer): readonly { readonly result: unknown }[] {
    const results = this.#sdk.evaluate(json, entrypoint) as readonly { readonly result: unknown }[]
    if (this.memory.length === 0) this.#refresh()
    return results
  }

  /** Growth has detached the view. */
  #refresh(): void {
    this.hasGrown = true
    this.memory = memoryOf(this.#sdk)
  }
}

function readBuiltins(sdk: SdkPolicy): unknown {
  const { builtins, opa_json_dump: dump } = exportsOf(sdk)
  return readJson(memoryOf(sdk), dump!(builtins!()))
}

function memoryOf(sdk: SdkPolicy): Uint8Array {
  return new Uint8Array(sdk.mem.buffer)
}

function exportsOf(sdk: SdkPolicy): Readonly<Record<string, WasmFunction>> {
  return (sdk.wasmInstance as { exports: Record<string, WasmFunction> }).exports
}
