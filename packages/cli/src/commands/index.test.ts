import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { createTestContext } from '../testing.ts'
import { settingsTables } from './docs.ts'
import { COMMANDS, createProgram } from './index.ts'
import { PORTS } from './ports.ts'

const context = createTestContext()
const program = await createProgram(context)

function* withDescendants(command: Command): Generator<Command> {
  yield command
  for (const child of command.commands) yield* withDescendants(child)
}

function helpOf(command: Command): string {
  context.printed.out = ''
  command.outputHelp()
  return context.printed.out
}

const pathOf = (command: Command): string => (command.parent ? `${pathOf(command.parent)} ${command.name()}` : 'picket')
const leaves = [...withDescendants(program)].filter((command) => command.commands.length === 0)

for (const command of leaves) {
  const path = pathOf(command)
  test(`the help of "${path}" says what it does and shows an example that starts like it`, () => {
    const help = helpOf(command)
    assert.ok(command.description() !== '', 'no description')
    assert.ok(help.includes('\nExample'), help)
    const lines = help.split('\n').filter((line) => line.startsWith('  $ '))
    assert.ok(lines.length > 0 && lines.every((line) => line.startsWith(`  $ ${path}`)), lines.join('\n'))
    assert.match(help, /--output <FORMAT>/)
  })
}

test('the examples of each command use only flags that it has', () => {
  for (const command of leaves) {
    const known = new Set([...command.options, ...program.options].flatMap(({ long, short }) => [long, short]))
    const examples = helpOf(command).split(/\nExamples?:\n/)[1] ?? ''
    for (const line of examples.split('\n  $ ')) {
      const own = line.split(/ \| | -- /)[0] ?? ''
      for (const [flag] of own.matchAll(/(?<= )--?[a-z][a-z0-9-]*/g))
        assert.ok(known.has(flag), `${pathOf(command)}: ${flag}`)
    }
  }
})

test('no help says that what is off or empty is so by default, nor counts milliseconds', () => {
  for (const command of withDescendants(program)) {
    assert.doesNotMatch(helpOf(command), /\(default: (?:false|""|\d{4,})\)/, pathOf(command))
  }
})

test('the root help lists every noun but the hidden ones, without loading any', async () => {
  const bare = await createProgram(context, ['--help'])
  const help = helpOf(bare)
  for (const [name, entry] of Object.entries<{ hidden?: true; summary: string }>(COMMANDS)) {
    assert.equal(help.includes(`\n  ${name} `), entry.hidden !== true, name)
  }
  assert.ok(bare.commands.every((command) => command.commands.length === 0))
})

test('the command that is named is complete, also behind global flags', async () => {
  const named = await createProgram(context, ['-o', 'json', 'entry', 'list'])
  const entry = named.commands.find((command) => command.name() === 'entry')
  assert.deepEqual(
    entry?.commands.map((command) => command.name()),
    ['create', 'list', 'delete'],
  )
})

test('no setting’s flag is a negation or hides a global flag', () => {
  const globals = new Set(program.options.map(({ long }) => long))
  for (const command of leaves) {
    for (const option of command.options) {
      assert.ok(!globals.has(option.long), `${pathOf(command)} ${option.flags}`)
      assert.ok(!option.negate, `${pathOf(command)} ${option.flags}`)
    }
  }
})

test('the port table says what the settings tables say', () => {
  const texts = settingsTables.flatMap(([, table]) => Object.entries(table))
  for (const { port, flag } of PORTS) {
    const key = flag.slice(2).replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
    const found = texts.some(
      ([name, { default: value, doc }]) => name === key && `${value} ${doc}`.includes(`:${port}`),
    )
    assert.ok(found, `${flag} ${port}`)
  }
})
