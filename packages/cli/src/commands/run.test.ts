import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FakeClock } from '@picket/runtime/testing'
import { createScratchFolder, picket, PicketProcess, type Finished, type ScratchFolder } from '../testing.ts'
import { appEnvironment, untilAppEnds } from './run.ts'

const policy = fileURLToPath(new URL('../../../../policies/authz.bundle.tar.gz', import.meta.url))
let scratch: ScratchFolder

before(async () => {
  scratch = await createScratchFolder()
  const { code, err } = await picket('dev', 'certs', '--directory', scratch.path)
  assert.equal(code, 0, err)
})
after(() => scratch[Symbol.asyncDispose]())

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function startRun(script: string, flags: readonly string[] = [], environment: Record<string, string> = {}) {
  const file = (name: string): string => join(scratch.path, 'payments', `${name}.pem`)
  const app = `127.0.0.1:${await freePort()}`
  const own = ['--svid', file('svid'), '--key', file('key'), '--trust-bundle', file('bundle'), '--policy', policy]
  const listen = [
    '--inbound',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--outbound-listener',
    '127.0.0.1:0',
    '--app',
    app,
  ]
  const args = ['run', ...own, ...listen, ...flags, '--', process.execPath, '-e', script]
  return { app, process: new PicketProcess(args, environment) }
}

async function runToEnd(
  script: string,
  flags?: readonly string[],
  environment?: Record<string, string>,
): Promise<Finished> {
  const { process } = await startRun(script, flags, environment)
  await using running = process
  return await running.finished
}

test('the exit code of the app is kept', async () => {
  for (const code of [0, 7]) {
    const finished = await runToEnd(`process.exit(${code})`)
    assert.equal(finished.code, code, finished.err)
  }
})

test('an app ended by a signal is told as 128 + n', async () => {
  const { code, err } = await runToEnd("process.kill(process.pid, 'SIGKILL')")
  assert.equal(code, 137, err)
})

test('the app finds the addresses in its environment and none of the sidecar’s secrets', async () => {
  const script =
    'console.log(JSON.stringify(Object.entries(process.env).filter(([name]) => name.startsWith("PICKET_"))))'
  const ledger = ['--outbound', '127.0.0.1:0=127.0.0.1:9,spiffe://bank.test/ledger']
  const { app, process } = await startRun(script, ledger, { PICKET_LOG_LEVEL: 'error' })
  await using running = process
  const { code, out, err } = await running.finished
  assert.equal(code, 0, err)
  const environment = Object.fromEntries(JSON.parse(out) as [string, string][])
  assert.equal(environment['PICKET_APP'], app)
  assert.match(environment['PICKET_OUTBOUND']!, /^127\.0\.0\.1:[1-9]\d*$/)
  assert.match(environment['PICKET_OUTBOUND_LEDGER']!, /^127\.0\.0\.1:[1-9]\d*$/)
})

const ANSWER_SIGTERM = `
  process.on('SIGTERM', () => { console.log('asked to stop'); setTimeout(() => process.exit(5), 100) })
  setInterval(() => {}, 1000)
  console.log('app is up')`

test('signals go to the app, which decides when and how it ends', async () => {
  const { process } = await startRun(ANSWER_SIGTERM)
  await using running = process
  await running.until(/app is up/)
  running.kill('SIGTERM')
  const { code, out } = await running.finished
  assert.equal(code, 5)
  assert.match(out, /asked to stop/)
})

test('a sidecar that fails before it is ready means that the app never starts', async () => {
  const marker = join(scratch.path, 'started')
  const script = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`
  const { code, out, err } = await runToEnd(script, ['--svid', join(scratch.path, 'missing.pem')])
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /picket: .*missing\.pem/)
  assert.equal(existsSync(marker), false)
})

test('a signal before the sidecar is ready ends the wait, and the app never starts', async () => {
  const marker = join(scratch.path, 'started-early')
  const bundle = join(scratch.path, 'payments', 'bundle.pem')
  const away = [
    '--control-plane',
    `127.0.0.1:${await freePort()}`,
    '--trust-domain',
    'bank.test',
    '--trust-bundle',
    bundle,
  ]
  const listen = ['--join-token', 'x', '--admin', '127.0.0.1:0', '--outbound-listener', '127.0.0.1:0']
  const script = `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`
  const args = ['run', ...away, ...listen, '--log-level', 'debug', '--', process.execPath, '-e', script]
  await using running = new PicketProcess(args)
  await running.until(/"level":"warn"/, 'err')
  running.kill('SIGTERM')
  const { code, err } = await running.finished
  assert.equal(code, 143, err)
  assert.doesNotMatch(err, /^picket: /m)
  assert.equal(existsSync(marker), false)
})

test('an app whose sidecar fails is asked to end, then made to, and that is a failure', async () => {
  const clock = new FakeClock()
  const received: string[] = []
  const { promise: exited, resolve: exit } = Promise.withResolvers<number>()
  const app = {
    exited,
    kill(signal: NodeJS.Signals) {
      received.push(signal)
      if (signal === 'SIGKILL') exit(137)
    },
  }
  const { promise: closed, reject: fail } = Promise.withResolvers<void>()
  const ending = assert.rejects(untilAppEnds(app, { closed }, clock), {
    code: 'ERR_SIDECAR_STOPPED',
    message: 'the sidecar failed: disk on fire',
  })
  fail(new Error('disk on fire'))
  await clock.advance(9_999)
  assert.deepEqual(received, ['SIGTERM'])
  await clock.advance(1)
  await ending
  assert.deepEqual([received, clock.pendingMs], [['SIGTERM', 'SIGKILL'], []])
})

test('secrets that only the sidecar needs do not reach the app', () => {
  const own = { PICKET_JOIN_TOKEN: 'hunter2', PICKET_SEAL_KEY: 'hunter2', PICKET_LOG_LEVEL: 'warn', PATH: '/bin' }
  const admin = { host: '127.0.0.1', port: 7490 }
  const workloads = { workloadApi: undefined, workloadApiTcp: undefined }
  const addresses = { inbound: undefined, outbound: [], outboundListener: undefined, admin, ...workloads }
  const environment = appEnvironment(own, { app: undefined }, { addresses })
  assert.deepEqual(environment, { PICKET_LOG_LEVEL: 'warn', PATH: '/bin' })
  assert.equal(own.PICKET_JOIN_TOKEN, 'hunter2')
})

test('the app is told where its Workload API is', () => {
  const admin = { host: '127.0.0.1', port: 7490 }
  const workloads = { workloadApi: '/run/picket/payments.sock', workloadApiTcp: undefined }
  const addresses = { inbound: undefined, outbound: [], outboundListener: undefined, admin, ...workloads }
  const environment = appEnvironment({}, { app: undefined }, { addresses })
  assert.deepEqual(environment, { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/picket/payments.sock' })
})

test('wrong settings mean 2, and no app either', async () => {
  const { code, err } = await runToEnd('process.exit(9)', ['--drain-timeout', 'soon'])
  assert.equal(code, 2)
  assert.match(err, /--drain-timeout: drainTimeout: "soon" is not a duration/)
})

test('an app that is not there is told as a shell would', async () => {
  const file = (name: string): string => join(scratch.path, 'payments', `${name}.pem`)
  const own = ['--svid', file('svid'), '--key', file('key'), '--trust-bundle', file('bundle'), '--policy', policy]
  const listen = ['--inbound', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--app', '127.0.0.1:9']
  const { code, err } = await picket('run', ...own, ...listen, '--', '/no/such/app')
  assert.equal(code, 127)
  assert.match(err, /picket: \/no\/such\/app: there is no such command/)
})
