import type { DenyReason } from './decision.ts'

/**
 * What Wasm evaluation leaves in memory: a NUL-terminated JSON array of results, `[{"result":VALUE}]`, empty when the
 * rule is undefined. The one answer that lets a request through is compared byte by byte; all others take the slow road.
 */
const TRUE = Buffer.from('[{"result":true}]\0', 'latin1')

/** True exactly when the result set at `at` is a single `true`. */
export function isTrue(memory: Uint8Array, at: number): boolean {
  for (let i = 0; i < TRUE.length; i++) if (memory[at + i] !== TRUE[i]) return false
  return true
}

/** The result set at `at`. Throws when it is not what evaluation writes. */
export function readResults(memory: Uint8Array, at: number): readonly unknown[] {
  const results = readJson(memory, at)
  if (!Array.isArray(results)) throw new Error('evaluation left something else than a result set')
  return results.map((row: unknown) => {
    if (typeof row !== 'object' || row === null || !('result' in row)) throw new Error('a result without a value')
    return row.result
  })
}

/** The NUL-terminated JSON at `at`. */
export function readJson(memory: Uint8Array, at: number): unknown {
  const end = memory.indexOf(0, at)
  if (at <= 0 || end < 0) throw new Error('evaluation left nothing to read')
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(memory.slice(at, end)))
}

/** Why these results are no allow. */
export function reasonOf(results: readonly unknown[]): DenyReason {
  if (results.length === 0) return 'policy_undefined'
  if (results.length > 1) return 'policy_multiple_results'
  return results[0] === false ? 'policy_denied' : 'policy_wrong_type'
}
