import { runOpaForJson, type Opa } from './opa.ts'
import type { InputReference } from './reference.ts'

/** What one rule reads of the input, as OPA's own dependency analysis finds it. */
export interface RuleInput {
  /** False when there is no such rule. */
  readonly exists: boolean
  readonly references: readonly InputReference[]
}

interface Term {
  readonly type: string
  readonly value: unknown
}

/**
 * `opa deps` over the sources in `directory`. It errs towards more: `walk(input)`, `input[key]`, `f(input)` and the like
 * come out as the whole document. A computed key further down counts as everything below the last plain one.
 */
export async function readRuleInput(opa: Opa, entrypoint: string, directory: string): Promise<RuleInput> {
  const path = entrypoint.split('/')
  const query = `data${path.map((name) => `[${JSON.stringify(name)}]`).join('')}`
  const output = await runOpaForJson(opa, ['deps', '--format', 'json', '--bundle', '.', query], directory)
  const { base = [], virtual = [] } = output as { base?: readonly Term[][]; virtual?: readonly Term[][] }
  const exists = virtual.some(
    (rule) => rule.length === path.length + 1 && path.every((name, index) => rule[index + 1]?.value === name),
  )
  const references = base.filter(([root]) => root?.type === 'var' && root.value === 'input').map(toReference)
  return { exists, references: withoutCovered(references) }
}

function toReference([, ...keys]: readonly Term[]): InputReference {
  const computed = keys.findIndex(({ type }) => type !== 'string')
  return keys.slice(0, computed < 0 ? undefined : computed).map(({ value }) => String(value))
}

/** Sorted, and without those that lie below another. */
function withoutCovered(references: readonly InputReference[]): InputReference[] {
  const sorted = references.toSorted((a, b) => a.length - b.length || (a.join('\0') < b.join('\0') ? -1 : 1))
  return sorted.filter(
    (reference, index) =>
      !sorted.slice(0, index).some((other) => other.every((key, depth) => key === reference[depth])),
  )
}
