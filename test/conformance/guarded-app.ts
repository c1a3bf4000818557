import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileAuthority, type WorkloadFiles } from '../support/certs.ts'
import { freePort, untilListening } from '../support/ports.ts'
import { startRecordingApp, type RecordingApp } from './recording-app.ts'

const ROOT = join(import.meta.dirname, '../..')

/** An application behind a real sidecar process that takes identity and policy from files. */
export interface GuardedApp extends AsyncDisposable {
  readonly app: RecordingApp
  /** Where the sidecar takes calls. */
  readonly port: number
  /** A caller that the policy knows. */
  readonly gateway: WorkloadFiles
  readonly isAlive: () => boolean
  /** What the sidecar said, for a failed test to show. */
  readonly output: () => string
  /** Ends the sidecar with SIGTERM and returns its exit code and its access records. */
  stop(): Promise<{ readonly exitCode: number | null; readonly records: readonly AccessRecord[] }>
}

/** The members of an access record that conformance is judged by. */
export interface AccessRecord {
  readonly kind: string
  readonly peer: string
  readonly status?: number
  readonly reason?: string
  readonly flag?: string
}

/** `payments` of the shipped bank policy: `POST /payments` for the gateway, `GET /health` for the whole trust domain. */
export async function startGuardedApp(): Promise<GuardedApp> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-conformance-'))
  const app = await startRecordingApp()
  const authority = createFileAuthority(join(folder, 'certs'), 'bank.test')
  const [payments, gateway] = [authority.issue('payments'), authority.issue('gateway')]
  const port = await freePort()
  const at = (name: string): string => join(folder, name)
  const flags = {
    svid: payments.svid,
    key: payments.key,
    'trust-bundle': payments.bundle,
    policy: join(ROOT, 'policies/authz.bundle.tar.gz'),
    inbound: `127.0.0.1:${port}`,
    app: `127.0.0.1:${app.port}`,
    admin: '127.0.0.1:0',
    'access-log': at('access.ndjson'),
  }
  const settings = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  const log = openSync(at('output.log'), 'a')
  const command = [join(ROOT, 'packages/cli/src/main.ts'), 'sidecar', ...settings]
  const sidecar = spawn(process.execPath, command, { cwd: folder, stdio: ['ignore', log, log] })
  const exited = once(sidecar, 'exit')
  const output = (): string => readFileSync(at('output.log'), 'utf8')
  const isAlive = (): boolean => sidecar.exitCode === null && sidecar.signalCode === null
  await untilListening(port, 20_000).catch((cause: unknown) => {
    sidecar.kill('SIGKILL')
    throw new Error(`the sidecar does not listen:\n${output()}`, { cause })
  })
  return {
    app,
    port,
    gateway,
    isAlive,
    output,
    async stop() {
      sidecar.kill('SIGTERM')
      await exited
      const lines = readFileSync(at('access.ndjson'), 'utf8').trimEnd().split('\n')
      return { exitCode: sidecar.exitCode, records: lines.map((line) => JSON.parse(line) as AccessRecord) }
    },
    async [Symbol.asyncDispose]() {
      if (isAlive()) {
        sidecar.kill('SIGKILL')
        await exited
      }
      await app[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
