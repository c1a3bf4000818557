/**
 * A path into the input document that a policy reads (`['caller', 'path']`); everything below it counts as read. The
 * empty path is the whole document: a policy that reads `input` itself or computes a key gets all of it.
 */
export type InputReference = readonly string[]

export const WHOLE_INPUT: readonly InputReference[] = [[]]

/** The part of `document` that `references` reach; values that a reference reaches are the same, not copies. */
export function pick(document: unknown, references: readonly InputReference[]): unknown {
  if (!isObject(document) || references.some((reference) => reference.length === 0)) return document
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]): [string, unknown][] => {
      const below = references.filter((reference) => reference[0] === key).map((reference) => reference.slice(1))
      return below.length === 0 ? [] : [[key, pick(value, below)]]
    }),
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
