import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { runPicket, type CommandResult } from '@picket/demo'

/** The control plane of a trust domain alone, as a real process on free ports. */
export interface FederatedDomain extends AsyncDisposable {
  /** Its SPIFFE bundle with the keys of both kinds. */
  readonly bundleFile: string
  /** `https://127.0.0.1:PORT/` when it has one, else ''. */
  readonly endpoint: string
  /** A command of its operator. */
  picket(...args: readonly string[]): Promise<CommandResult>
  /** The items of a command that succeeds. */
  itemsOf(...args: readonly string[]): Promise<Record<string, unknown>[]>
}

const main = fileURLToPath(new URL('../../packages/cli/bin/picket.js', import.meta.url))

export async function startFederatedDomain(
  folder: string,
  trustDomain: string,
  ...flags: readonly string[]
): Promise<FederatedDomain> {
  const dataDir = join(folder, trustDomain)
  const picket = async (...args: readonly string[]): Promise<CommandResult> => {
    const result = await runPicket([...args, '--data-dir', dataDir])
    if (result.code !== 0) throw new Error(`picket ${args.join(' ')}: ${result.stderr}`)
    return result
  }
  await picket('ca', 'init', '--trust-domain', trustDomain)
  const listen = ['--listen', '127.0.0.1:0', '--health', '127.0.0.1:0', '--log-level', 'info']
  const child = spawn(process.execPath, [main, 'control-plane', '--data-dir', dataDir, ...listen, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log: string[] = []
  let endpoint = ''
  for await (const line of createInterface({ input: child.stderr })) {
    log.push(line)
    if (line.includes('"bundle endpoint serves"')) endpoint = `https://${/"listen":"([^"]+)"/.exec(line)?.[1]}/`
    if (line.includes('"control plane serves"')) break
  }
  child.stderr.resume() // what it says later must not fill the pipe
  if (child.exitCode !== null) throw new Error(`the control plane of ${trustDomain} ended:\n${log.join('\n')}`)
  return {
    bundleFile: join(dataDir, 'ca', 'trust-bundle.json'),
    endpoint,
    picket,
    async itemsOf(...args) {
      const { stdout } = await picket(...args, '-o', 'json')
      return (JSON.parse(stdout) as { items: Record<string, unknown>[] }).items
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return
      child.kill()
      await once(child, 'close')
    },
  }
}
