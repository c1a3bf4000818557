import { messageOf } from '@picket/runtime'
import { PolicyError } from './error.ts'
import { compileModule, Module, type WasmModule } from './wasm.ts'

/**
 * Is this Wasm a module that OPA compiled and that this engine can run? Decided once, at load: what is missing would
 * otherwise throw in the middle of a request. (A module that imports more than OPA's interface does not link.)
 */

/** OPA's Wasm ABI 1.2: what the SDK and the fast path call. */
const EXPORTS = ['opa_eval', 'opa_malloc', 'opa_json_parse', 'opa_json_dump', 'opa_heap_ptr_get', 'opa_heap_ptr_set']
const TABLES = ['builtins', 'entrypoints', 'opa_wasm_abi_version', 'opa_wasm_abi_minor_version']

/**
 * Host builtins that the SDK brings and that are let through. `regex.split` is left out: it runs on JavaScript's regular
 * expressions, whose time a caller could make exponential.
 */
export const HOST_BUILTINS: ReadonlySet<string> = new Set([
  'sprintf',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
])

/** Throws `ERR_BUNDLE_WASM`. */
export async function compilePolicyModule(wasm: Uint8Array): Promise<WasmModule> {
  let module: WasmModule
  try {
    module = await compileModule(wasm)
  } catch (cause) {
    throw new PolicyError('ERR_BUNDLE_WASM', `policy.wasm is not a Wasm module: ${messageOf(cause)}`, { cause })
  }
  const names = new Set(Module.exports(module).map(({ name }) => name))
  const missing = [...EXPORTS, ...TABLES].find((name) => !names.has(name))
  if (missing !== undefined)
    throw new PolicyError('ERR_BUNDLE_WASM', `policy.wasm has no ${missing}: OPA did not make it`)
  return module
}

/** Throws `ERR_POLICY_BUILTIN` when `required` (name → id, the module's own table) has what nobody provides. */
export function requireBuiltins(required: unknown): readonly string[] {
  const names = Object.keys(required ?? {}).sort()
  const missing = names.filter((name) => !HOST_BUILTINS.has(name))
  if (missing.length > 0) {
    throw new PolicyError('ERR_POLICY_BUILTIN', `the policy needs builtins that sidecars lack: ${missing.join(', ')}`)
  }
  return names
}
