import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

/** A process that keeps an access log on its standard output, writes `records` refusals and says on stderr how it went. */
function startWriter(records: number): ChildProcess {
  const script = `
    const { createAccessLog } = await import('./access-log.ts')
    const { createMetrics, silentLogger, systemClock } = await import('@picket/runtime')
    const metrics = createMetrics()
    const log = await createAccessLog({ kind: 'stdout' }, { clock: systemClock, logger: silentLogger, metrics })
    const record = { kind: 'malformed', direction: 'inbound', service: 's', peer: undefined, reason: 'r', message: 'm' }
    let longestMs = 0
    for (let written = 0; written < ${records}; written += 100) {
      const before = performance.now()
      for (let n = 0; n < 100; n++) log.refusal(record)
      await new Promise((resolve) => setTimeout(resolve, 1))
      longestMs = Math.max(longestMs, performance.now() - before)
    }
    await log[Symbol.asyncDispose]()
    const dropped = Number(/dropped_total (\\d+)/.exec(metrics.render())[1])
    process.stderr.write(JSON.stringify({ longestMs, dropped }))
    process.exit(0)`
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function readAll(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += String(chunk)
  return text
}

async function outcomeOf(child: ChildProcess): Promise<{ longestMs: number; dropped: number }> {
  const [text] = await Promise.all([readAll(child.stderr), once(child, 'exit')])
  assert.match(text, /^\{/, text)
  return JSON.parse(text)
}

test('a pipe that is read gets every record', async () => {
  const child = startWriter(2_000)
  const [text, { dropped }] = await Promise.all([readAll(child.stdout), outcomeOf(child)])
  assert.equal(dropped, 0)
  assert.equal(text.split('\n').length - 1, 2_000)
})

test('a pipe that nobody reads loses records but holds nothing up, not even the exit', async () => {
  const child = startWriter(20_000)
  const { longestMs, dropped } = await outcomeOf(child)
  assert(dropped > 10_000)
  assert(longestMs < 1_000, `${longestMs} ms`)
})

test('a pipe that was closed loses records and nothing else', async () => {
  const child = startWriter(5_000)
  child.stdout?.destroy()
  const { dropped } = await outcomeOf(child)
  assert.equal(dropped, 5_000)
})
