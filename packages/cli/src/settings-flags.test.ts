import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseDuration, Secret, type SettingsTable } from '@picket/runtime'
import { Command } from 'commander'
import { parse as parseYaml } from 'yaml'
import type { CliContext } from './context.ts'
import { addConfigFlags, addSettingsFlags, loadSettings, settingsSources } from './settings-flags.ts'
import { effectiveSettings, settingsListing, settingsMarkdown, settingsYaml } from './settings-view.ts'
import { parseSettingsFile } from './settings-file.ts'
import { createScratchFolder, createTestContext } from './testing.ts'

const TABLE = {
  inbound: { parse: String, default: 'here:1', placeholder: 'HOST:PORT', doc: 'where callers connect' },
  drainTimeout: { parse: parseDuration, default: '30s', placeholder: 'DURATION', doc: 'how long to drain' },
  outbound: { parse: String, list: true, placeholder: 'LISTEN=SERVICE', doc: 'who is called' },
  joinToken: {
    parse: (t: string) => new Secret(t),
    optional: true,
    secret: true,
    placeholder: 'TOKEN',
    doc: 'the token',
  },
  accessLog: { parse: String, optional: true, placeholder: 'FILE|-', doc: 'where records go' },
} as const satisfies SettingsTable

function commandFor(args: readonly string[]): Command {
  const command = addConfigFlags(addSettingsFlags(new Command('sidecar'), TABLE)).exitOverride()
  return command.action(() => {}).parse([...args], { from: 'user' })
}

const load = (args: readonly string[], context: CliContext = createTestContext()) =>
  loadSettings(commandFor(args), TABLE, context)

test('a setting is taken from flag, environment, file, default, in this order', async () => {
  await using scratch = await createScratchFolder()
  const file = join(scratch.path, 'sidecar.yaml')
  await writeFile(file, 'inbound: file:1\ndrainTimeout: 1m\n')
  const environment = { PICKET_INBOUND: 'environment:1' }
  const all = await load(['--config', file, '--inbound', 'flag:1'], createTestContext(environment))
  assert.deepEqual([all.inbound, all.drainTimeout], ['flag:1', 60_000])
  assert.equal((await load(['--config', file], createTestContext(environment))).inbound, 'environment:1')
  assert.equal((await load(['--config', file])).inbound, 'file:1')
  assert.equal((await load([], createTestContext({ PICKET_CONFIG: file }))).inbound, 'file:1')
  assert.equal((await load([])).inbound, 'here:1')
})

test('a list flag may be repeated, an empty variable counts as unset', async () => {
  const settings = await load(['--outbound', 'a', '--outbound', 'b'], createTestContext({ PICKET_INBOUND: '' }))
  assert.deepEqual([settings.outbound, settings.inbound], [['a', 'b'], 'here:1'])
})

test('a bad value names its flag, its variable or its line', async () => {
  await using scratch = await createScratchFolder()
  const file = join(scratch.path, 'sidecar.yaml')
  await writeFile(file, '\n\ninbuond: x\ndrainTimeout: soon\n')
  const context = createTestContext({ PICKET_DRAIN_TIMEOUT: 'later' })
  await assert.rejects(load(['--config', file], context), (thrown: Error & { code: string }) => {
    assert.equal(thrown.code, 'ERR_SETTINGS')
    assert.match(thrown.message, /^sidecar\.yaml:3: unknown key "inbuond": did you mean "inbound"\?$/m)
    assert.match(thrown.message, /^PICKET_DRAIN_TIMEOUT: drainTimeout: /m)
    return true
  })
  await assert.rejects(load(['--drain-timeout', '30']), /^RuntimeError: --drain-timeout: drainTimeout: /)
})

test('the effective settings show where each came from and never a secret', async () => {
  const context = createTestContext({ PICKET_JOIN_TOKEN: 'hunter2' })
  const command = commandFor(['--outbound', 'a', '--outbound', 'b', '--inbound', 'x:1', '--inbound', 'y:2'])
  const items = effectiveSettings(TABLE, await settingsSources(command, TABLE, context))
  assert.deepEqual(items, [
    { key: 'inbound', values: ['y:2'], source: '--inbound' },
    { key: 'drainTimeout', values: ['30s'], source: 'default' },
    { key: 'outbound', values: ['a', 'b'], source: '--outbound' },
    { key: 'joinToken', values: ['[redacted]'], source: 'PICKET_JOIN_TOKEN' },
  ])
  assert.doesNotMatch(JSON.stringify(settingsListing(items)) + settingsYaml(TABLE, items), /hunter2/)
})

test('what is printed as YAML is read back as the same settings', async () => {
  const command = commandFor(['--outbound', '127.0.0.1:1=a', '--outbound', '- "x"\n#', '--access-log', '-'])
  const items = effectiveSettings(TABLE, await settingsSources(command, TABLE, createTestContext()))
  const yaml = settingsYaml(TABLE, items)
  assert.deepEqual(Object.keys(parseYaml(yaml) as object), ['inbound', 'drainTimeout', 'outbound', 'accessLog'])
  const read = parseSettingsFile(yaml, 'x').map(({ key, text }) => [key, text])
  assert.deepEqual(
    read,
    items.flatMap(({ key, values }) => values.map((value) => [key, value])),
  )
})

test('help names each flag with its variable and default', () => {
  const help = commandFor([]).helpInformation()
  assert.match(help, /--drain-timeout <DURATION>\s+how long to drain \(env\s+PICKET_DRAIN_TIMEOUT,\s+default 30s\)/)
  assert.match(help, /--config <FILE>/)
})

test('the Markdown table has a row for each setting and survives a bar in a cell', () => {
  const rows = settingsMarkdown(TABLE).split('\n')
  assert.equal(rows.length, 2 + Object.keys(TABLE).length)
  assert.equal(rows[2], '| `--inbound HOST:PORT` | `PICKET_INBOUND` | `inbound` | `here:1` | where callers connect |')
  assert.match(rows[6]!, /`--access-log FILE\\\|-`/)
})
