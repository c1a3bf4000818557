/**
 * Text with places to be filled from attested facts: `spiffe://bank.test/ns/{k8s.ns}/sa/{k8s.sa}`. `{k8s.ns}` stands for
 * the value of the one fact `k8s:ns:VALUE`. What fills a place comes from outside: it must be one legal path segment, so
 * that no value can reach beyond the place that the operator gave it.
 */
export interface Template {
  readonly text: string
  /** What the places are filled from, in order, each once: `k8s:ns`. Empty: the text is all there is. */
  readonly places: readonly string[]
}

/** Why a template gives nothing for these facts. */
export interface TemplateProblem {
  readonly kind: 'problem'
  readonly message: string
}

const PLACE = /\{([^{}]*)\}/g
const NAME = /^[a-z][a-z0-9_-]{0,31}(?:\.[a-z][a-z0-9_-]{0,31}){0,3}$/
const VALUE = /^[A-Za-z0-9._-]{1,255}$/
const MOST_PLACES = 8

/** Throws a `TypeError` that says what is wrong. */
export function parseTemplate(text: string): Template {
  const names = [...text.matchAll(PLACE)].map(([, name]) => name!)
  const wrong = names.find((name) => !NAME.test(name))
  if (wrong !== undefined)
    throw new TypeError(`{${wrong}} names no fact: write {type} or {type.name}, such as {k8s.ns}`)
  if (/[{}]/.test(text.replaceAll(PLACE, ''))) throw new TypeError('a brace has no partner')
  if (names.length > MOST_PLACES) throw new TypeError(`more than ${MOST_PLACES} places`)
  return { text, places: [...new Set(names.map((name) => name.replaceAll('.', ':')))] }
}

/** How it looks with every place filled alike, to see whether anything could come of it. */
export function fillAlike({ text }: Template, value: string): string {
  return text.replaceAll(PLACE, value)
}

/** Whether `text` could come of it, as far as segments and the fixed text at both ends tell. */
export function couldBecome(template: Template, text: string): boolean {
  if (template.places.length === 0) return template.text === text
  const segments = text.split('/')
  const patterns = template.text.split('/')
  return (
    segments.length === patterns.length &&
    patterns.every((pattern, index) => {
      const segment = segments[index]!
      const [first, last] = [pattern.indexOf('{'), pattern.lastIndexOf('}')]
      if (first < 0) return pattern === segment
      const [head, tail] = [pattern.slice(0, first), pattern.slice(last + 1)]
      return segment.length > head.length + tail.length && segment.startsWith(head) && segment.endsWith(tail)
    })
  )
}

/** The text with its places filled, or the first place that cannot be. */
export function expandTemplate({ text, places }: Template, facts: readonly string[]): string | TemplateProblem {
  if (places.length === 0) return text
  const values = new Map<string, string>()
  for (const place of places) {
    const value = valueOf(place, facts)
    if (typeof value !== 'string') return value
    values.set(place, value)
  }
  return text.replaceAll(PLACE, (_, name: string) => values.get(name.replaceAll('.', ':'))!)
}

function valueOf(place: string, facts: readonly string[]): string | TemplateProblem {
  const prefix = `${place}:`
  const found = facts.filter((fact) => fact.startsWith(prefix))
  const shown = `{${place.replaceAll(':', '.')}}`
  const value = found[0]?.slice(prefix.length)
  if (value === undefined) return problem(`${shown} has no value: no fact ${place}:… was proved`)
  if (found.length > 1) return problem(`${shown} has ${found.length} values: ${found.slice(0, 4).join(' ')}`)
  if (!VALUE.test(value) || value === '.' || value === '..') {
    return problem(`${shown} is "${value}", which is no path segment of a SPIFFE ID`)
  }
  return value
}

export function problem(message: string): TemplateProblem {
  return { kind: 'problem', message }
}
