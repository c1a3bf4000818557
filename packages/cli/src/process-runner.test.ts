import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startApp } from './process-runner.ts'
import { createTestContext } from './testing.ts'

const node = (script: string): [string, ...string[]] => [process.execPath, '-e', script]

test('the exit code is kept', async () => {
  const { signals } = createTestContext()
  for (const code of [0, 1, 42]) {
    const app = await startApp({ command: node(`process.exit(${code})`), environment: {}, onTerminal: false }, signals)
    assert.equal(await app.exited, code)
  }
})

test('an end by signal n is told as 128 + n', async () => {
  const { signals } = createTestContext()
  for (const [name, code] of [
    ['SIGTERM', 143],
    ['SIGKILL', 137],
  ] as const) {
    const app = await startApp(
      { command: node(`process.kill(process.pid, '${name}')`), environment: {}, onTerminal: false },
      signals,
    )
    assert.equal(await app.exited, code)
  }
})

test('signals go to the app, and nobody listens any more once it has ended', async () => {
  const context = createTestContext()
  const script =
    "process.on('SIGUSR1', () => process.exit(7)); setInterval(() => {}, 1000); setTimeout(() => process.exit(8), 20_000)"
  const app = await startApp({ command: node(script), environment: {}, onTerminal: false }, context.signals)
  assert.ok(context.listening > 0)
  await new Promise((resolve) => setTimeout(resolve, 300))
  context.send('SIGUSR1')
  const code = await app.exited
  assert.ok(code === 7 || code === 128 + 10, String(code))
  assert.equal(context.listening, 0)
})

test('what a terminal sends to the whole group is not sent a second time', async () => {
  const context = createTestContext()
  const app = await startApp(
    { command: node('setTimeout(() => process.exit(3), 500)'), environment: {}, onTerminal: true },
    context.signals,
  )
  context.send('SIGINT')
  context.send('SIGQUIT')
  assert.equal(await app.exited, 3)
})

test('a command that does not exist is an error of its own, and leaves no listener', async () => {
  const context = createTestContext()
  const starting = startApp({ command: ['/no/such/command'], environment: {}, onTerminal: false }, context.signals)
  await assert.rejects(starting, {
    code: 'ERR_COMMAND_NOT_FOUND',
    message: '/no/such/command: there is no such command',
  })
  assert.equal(context.listening, 0)
})

test('the app sees the environment that it was given and no other', async () => {
  const { signals } = createTestContext()
  const script = 'process.exit(process.env.ONE === "1" && process.env.PICKET_SECRET === undefined ? 0 : 1)'
  const environment = { ONE: '1', PICKET_SECRET: undefined }
  assert.equal(await (await startApp({ command: node(script), environment, onTerminal: false }, signals)).exited, 0)
})
