import { ControlPlaneError } from '../error.ts'

/**
 * A fact about a workload, `TYPE:VALUE`, such as `service:payments`. An attestor proves facts; an entry names those that
 * it asks for. The type's names are few and ours, the value is what the attestor found. Facts of the type `unix` are
 * about a process on the sidecar's machine: the sidecar alone can see them, so they are matched there.
 */
const SELECTOR = /^[a-z][a-z0-9_-]{0,31}:[\x21-\x7e]{1,255}$/
const MOST_SELECTORS = 32
const MOST_VALUE_CHARACTERS = 255

/** Whether the sidecar matches it, against the local process that asks. */
export function isLocalSelector(selector: string): boolean {
  return selector.startsWith('unix:')
}

/** The canonical list: sorted, no two alike, one of them attested. Adds to `problems`, each with its field. */
export function parseSelectors(selectors: readonly string[], problems: string[]): readonly string[] {
  const parsed = parseList(selectors, problems)
  if (selectors.length > 0 && selectors.every(isLocalSelector)) {
    problems.push('selectors: those of type unix are about local processes only: name an attested fact too')
  }
  return parsed
}

/** The facts that a token proves. Throws `ERR_TOKEN_INVALID`. */
export function parseFacts(selectors: readonly string[]): readonly string[] {
  const problems: string[] = []
  const facts = parseList(selectors, problems)
  for (const [index, fact] of selectors.entries()) {
    if (isLocalSelector(fact)) problems.push(`selectors[${index}]: a token proves nothing about local processes (unix)`)
  }
  if (problems.length > 0) throw new ControlPlaneError('ERR_TOKEN_INVALID', problems.join('\n'))
  return facts
}

function parseList(selectors: readonly string[], problems: string[]): readonly string[] {
  if (selectors.length === 0) problems.push('selectors: there must be at least one, or everybody would match')
  if (selectors.length > MOST_SELECTORS) problems.push(`selectors: more than ${MOST_SELECTORS}`)
  for (const [index, selector] of selectors.entries()) {
    if (SELECTOR.test(selector)) continue
    problems.push(`selectors[${index}]: "${selector}" is not TYPE:VALUE, such as service:payments`)
  }
  return [...new Set(selectors)].sort()
}

/**
 * A fact whose value somebody else chose. Octets that no selector may hold, and the percent sign, are written `%XX`, so
 * that two values never make one fact; a value that is empty or too long gives none.
 */
export function toFact(name: string, value: string): readonly string[] {
  const escaped = value.replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) =>
    [...Buffer.from(character)].map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
  const afterType = name.length - name.indexOf(':')
  const length = name.includes(':') ? afterType + escaped.length : escaped.length
  return escaped === '' || length > MOST_VALUE_CHARACTERS ? [] : [`${name}:${escaped}`]
}
