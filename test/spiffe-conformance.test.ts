import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const document = readFileSync(`${root}docs/spiffe-conformance.md`, 'utf8')

/** `identity/verify.ts` → its path; what begins with a folder of the repository stands as it is. */
function toPath(name: string): string {
  const [, folder, file] = /^([a-z-]+)\/(.+)$/.exec(name) ?? []
  return /^(?:packages|proto|test)\//.test(name) ? `${root}${name}` : `${root}packages/${folder}/src/${file}`
}

const ROWS = document
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map((line) => {
    const [number, level, what, held, tests] = line.slice(2, -2).split(' | ')
    return { number: Number(number), level, what, held: held ?? '', tests: tests ?? '' }
  })

/** Each `file`: “title”, “title” of a text. */
function citationsOf(text: string): { file: string; titles: string[] }[] {
  return [...text.matchAll(/`([^`]+\.ts)`: ((?:“[^”]+”(?:, )?)+)/g)].map(([, file, titles]) => ({
    file: file!,
    titles: [...titles!.matchAll(/“([^”]+)”/g)].map(([, title]) => title!),
  }))
}

test('every rule of the SPIFFE standards has its row, once', () => {
  assert.deepEqual(
    ROWS.map(({ number }) => number),
    Array.from({ length: 79 }, (_, index) => index + 1),
  )
  for (const { number, level, what, held } of ROWS) assert.ok(level && what && held, `rule ${number}`)
})

test('every rule has a test, but those that are optional and not built', () => {
  const bare = ROWS.filter(({ tests }) => citationsOf(tests).length === 0)
  for (const { number, held } of bare) assert.match(held, /^optional, not built/, `rule ${number}`)
  assert.ok(bare.every(({ number }) => [41, 42, 43, 78, 79].includes(number)))
})

test('every file that is named is there, and holds the titles that are quoted', () => {
  const cited = citationsOf(document)
  const quoted = cited.reduce((sum, { titles }) => sum + titles.length, 0)
  assert.equal(quoted, document.match(/“/g)?.length, 'a quotation without a file before it')
  const texts = new Map<string, string>()
  const missing = cited.flatMap(({ file, titles }) => {
    const path = toPath(file)
    if (!existsSync(path)) return [file]
    const text = texts.get(path) ?? readFileSync(path, 'utf8')
    texts.set(path, text)
    return titles
      .filter((title) => !["'", '`'].some((quote) => text.includes(`${quote}${title}`)))
      .map((title) => `${file}: ${title}`)
  })
  assert.deepEqual(missing, [])
})

test('every file in which a rule is held is there', () => {
  const held = ROWS.flatMap((row) => [...row.held.matchAll(/`([^`]+)`/g)].map(([, file]) => file!))
  assert.deepEqual(
    held.filter((file) => !existsSync(toPath(file))),
    [],
  )
})
