import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadSettingsFile, parseSettingsFile } from './settings-file.ts'
import { createScratchFolder } from './testing.ts'

test('every value comes with the line it stands on', () => {
  const yaml =
    '# a sidecar\ninbound: 127.0.0.1:7443\n\noutbound:\n  - 127.0.0.1:1=a\n  - 127.0.0.1:2=b\napp: "127.0.0.1:80"\n'
  assert.deepEqual(parseSettingsFile(yaml, 'sidecar.yaml'), [
    { key: 'inbound', text: '127.0.0.1:7443', place: 'sidecar.yaml:2' },
    { key: 'outbound', text: '127.0.0.1:1=a', place: 'sidecar.yaml:5' },
    { key: 'outbound', text: '127.0.0.1:2=b', place: 'sidecar.yaml:6' },
    { key: 'app', text: '127.0.0.1:80', place: 'sidecar.yaml:7' },
  ])
})

test('JSON is read the same way', () => {
  assert.deepEqual(parseSettingsFile('{\n  "app": "127.0.0.1:80",\n  "outbound": ["a", "b"]\n}', 'sidecar.json'), [
    { key: 'app', text: '127.0.0.1:80', place: 'sidecar.json:2' },
    { key: 'outbound', text: 'a', place: 'sidecar.json:3' },
    { key: 'outbound', text: 'b', place: 'sidecar.json:3' },
  ])
})

test('a value is the text that was written, whatever YAML makes of it', () => {
  const texts = parseSettingsFile('a: 0o17\nb: 1e3\nc: 007\nd: yes\ne: true\nf: 2026-01-01\n', 'x').map(
    ({ text }) => text,
  )
  assert.deepEqual(texts, ['0o17', '1e3', '007', 'yes', 'true', '2026-01-01'])
})

test('an empty file and an empty list are no settings', () => {
  for (const text of ['', '# nothing\n', '---\n', 'outbound: []\n']) assert.deepEqual(parseSettingsFile(text, 'x'), [])
})

const REFUSED = [
  ['a list of settings', '- a\n- b\n', 'x.yaml:1: '],
  ['one bare word', 'sidecar\n', 'x.yaml:1: '],
  ['a key without a value', 'app: a:1\ninbound:\n', 'x.yaml:2: inbound: has no value'],
  ['a section', 'app: a:1\ntls:\n  key: x\n', 'x.yaml:2: tls: expected a value'],
  ['a list in a list', 'outbound:\n  - [a]\n', 'x.yaml:2: outbound: expected a value'],
  ['an empty list item', 'outbound:\n  - a\n  -\n', 'x.yaml:'],
  ['the same key twice', 'app: a:1\ninbound: b:2\napp: c:3\n', 'x.yaml:3: '],
  ['an alias', 'app: &a a:1\ninbound: *a\n', 'x.yaml:2: inbound: aliases are not read here'],
  ['a key that is a list', '? [a, b]\n: c\n', 'x.yaml:1: expected a name'],
  ['an open quote', 'app: "a:1\n', 'x.yaml:'],
  ['a tab for indentation', 'outbound:\n\t- a\n', 'x.yaml:2: '],
  ['two documents', 'app: a:1\n---\napp: b:2\n', 'x.yaml:'],
] as const

for (const [what, yaml, start] of REFUSED) {
  test(`refuses ${what} with its line`, () => {
    assert.throws(
      () => parseSettingsFile(yaml, 'x.yaml'),
      (thrown: Error & { code: string }) => {
        assert.equal(thrown.code, 'ERR_CONFIG_FILE')
        assert.ok(thrown.message.startsWith(start), thrown.message)
        return true
      },
    )
  })
}

test('reports all problems of form at once', () => {
  assert.throws(
    () => parseSettingsFile('a:\nb:\n  c: d\n', 'x.yaml'),
    (thrown: Error) => thrown.message.split('\n').length === 2,
  )
})

test('refuses a file beyond any reason', () => {
  assert.throws(() => parseSettingsFile(`# ${'x'.repeat(2 ** 20)}`, 'x'), { code: 'ERR_CONFIG_FILE' })
})

test('arbitrary text is settings or ERR_CONFIG_FILE, nothing else', () => {
  const yamlish = fc.array(
    fc.constantFrom(
      'a',
      ': ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a ',
      '*a',
      '"',
      "'",
      '? ',
      '|\n',
      '#',
      '!!',
      '---\n',
      '\t',
      '%',
    ),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        yamlish.map((parts) => parts.join('')),
      ),
      (text) => {
        try {
          for (const { key, place } of parseSettingsFile(text, 'x')) {
            assert.equal(typeof key, 'string')
            assert.match(place, /^x:\d+$/)
          }
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_CONFIG_FILE', String(thrown))
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('says why a file cannot be read', async () => {
  await using scratch = await createScratchFolder()
  const path = join(scratch.path, 'sidecar.yaml')
  await assert.rejects(loadSettingsFile(path), {
    code: 'ERR_CONFIG_FILE',
    message: `--config ${path}: there is no such file`,
  })
  await writeFile(path, 'app: a:1\n')
  assert.deepEqual(await loadSettingsFile(path), [{ key: 'app', text: 'a:1', place: 'sidecar.yaml:1' }])
  await mkdir(join(scratch.path, 'folder'))
  await assert.rejects(loadSettingsFile(join(scratch.path, 'folder')), { code: 'ERR_CONFIG_FILE' })
})
