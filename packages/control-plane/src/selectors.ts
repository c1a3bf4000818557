import { ControlPlaneError } from './error.ts'

/**
 * A fact about a workload, `TYPE:VALUE`, such as `service:payments`. An attestor proves facts; an entry names those that
 * it asks for. The type's names are few and ours, the value is what the attestor found.
 */
const SELECTOR = /^[a-z][a-z0-9_-]{0,31}:[\x21-\x7e]{1,255}$/
const MOST_SELECTORS = 32

/** The canonical list: sorted, no two alike. Adds to `problems`, each with its field. */
export function parseSelectors(selectors: readonly string[], problems: string[]): readonly string[] {
  if (selectors.length === 0) problems.push('selectors: there must be at least one, or everybody would match')
  if (selectors.length > MOST_SELECTORS) problems.push(`selectors: more than ${MOST_SELECTORS}`)
  for (const [index, selector] of selectors.entries()) {
    if (SELECTOR.test(selector)) continue
    problems.push(`selectors[${index}]: "${selector}" is not TYPE:VALUE, such as service:payments`)
  }
  return [...new Set(selectors)].sort()
}

/** The facts that a token proves. Throws `ERR_TOKEN_INVALID`. */
export function parseFacts(selectors: readonly string[]): readonly string[] {
  const problems: string[] = []
  const facts = parseSelectors(selectors, problems)
  if (problems.length > 0) throw new ControlPlaneError('ERR_TOKEN_INVALID', problems.join('\n'))
  return facts
}
