import { ControlPlaneError } from './error.ts'

/**
 * Selectors: facts of the form `type:value` that attestation proves and entries ask for. An entry matches when all of
 * its selectors are among the facts.
 */
const SHAPE = /^[a-z][a-z0-9_-]{0,31}:[\x21-\x7e]{1,255}$/
const MAX_SELECTORS = 32

/** Sorted and free of duplicates, so that equal sets are equal texts. Throws `ERR_SELECTOR` naming the bad one. */
export function parseSelectors(given: readonly string[]): readonly string[] {
  if (given.length === 0)
    throw new ControlPlaneError('ERR_SELECTOR', 'at least one selector is needed, such as service:payments')
  if (given.length > MAX_SELECTORS) throw new ControlPlaneError('ERR_SELECTOR', `more than ${MAX_SELECTORS} selectors`)
  for (const selector of given) {
    if (!SHAPE.test(selector)) {
      throw new ControlPlaneError(
        'ERR_SELECTOR',
        `"${selector.slice(0, 80)}" is not a selector: write type:value, such as service:payments`,
      )
    }
  }
  return [...new Set(given)].sort()
}

/** The selectors of `wanted` that `facts` lack; empty = it matches. */
export function missingSelectors(wanted: readonly string[], facts: readonly string[]): readonly string[] {
  return wanted.filter((selector) => !facts.includes(selector))
}
