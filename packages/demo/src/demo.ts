import { formatHostPort, systemClock } from '@picket/runtime'
import { startBankMesh } from './bank/bank-mesh.ts'
import type { Mesh } from './mesh/mesh.ts'
import type { Call, Expectation } from './scenes/scene.ts'
import { scenes } from './scenes/scenes.ts'

export interface DemoOptions {
  /** Play the scenes, check each expectation and end. */
  readonly once: boolean
  readonly print: (line: string) => void
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** Plays every scene on a real mesh; false when an expectation was not met. Without `once` the mesh then stays up. */
export async function runDemo({ once, print, signal }: DemoOptions): Promise<boolean> {
  const startedMs = systemClock.monotonicMs()
  print('Starting the bank: each line is a real process on loopback.')
  await using mesh = await startBankMesh({ onProgress: (line) => print(`  ${line}`) })
  print(`Ready after ${((systemClock.monotonicMs() - startedMs) / 1000).toFixed(1)} s.`)

  let met = true
  for (const scene of scenes) {
    if (signal.aborted) return met
    print(`\n── ${scene.title}`)
    const { calls, expectations } = await scene.play(mesh)
    for (const line of callTable(calls)) print(line)
    for (const expectation of expectations) print(expectationLine(expectation))
    met &&= expectations.every((expectation) => expectation.met)
  }
  print(met ? '\nEvery expectation was met.' : '\nSome expectations were NOT met.')
  if (!once) await stayUp(mesh, print, signal)
  return met
}

async function stayUp(mesh: Mesh, print: (line: string) => void, signal: AbortSignal): Promise<void> {
  const operator = `--data-dir ${mesh.directory}/control-plane`
  print(`
The bank stays up. In another terminal, try:
  npm run picket -- status ${operator}
  npm run picket -- policy list ${operator}
  npm run picket -- policy push policies/authz.bundle.tar.gz ${operator}
  npm run picket -- cert rotate /payments ${operator}
  curl http://${formatHostPort(mesh.service('gateway').app)}/accounts/alice
  curl -H 'host: ledger.mesh' http://${formatHostPort(mesh.service('support-portal').outbound)}/entries
  tail -f ${mesh.service('ledger').accessLogFile}
Ctrl-C ends it and removes everything.`)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  print('\nStopping.')
}

const columns = [
  'caller',
  'callee',
  'route',
  'decision',
  'reason',
  'status',
  'latency',
] as const satisfies (keyof Call)[]

function callTable(calls: readonly Call[]): string[] {
  if (calls.length === 0) return []
  const rows = [Object.fromEntries(columns.map((name) => [name, name.toUpperCase()])) as unknown as Call, ...calls]
  const widths = columns.map((name) => Math.max(...rows.map((row) => row[name].length)))
  return rows.map((row) =>
    `   ${columns.map((name, index) => row[name].padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd(),
  )
}

function expectationLine({ what, met, seen }: Expectation): string {
  return met ? `   ✓ ${what}${seen.length <= 40 ? ` (${seen})` : ''}` : `   ✗ ${what}: saw ${seen}`
}
