import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileAuthority } from '../support/certs.ts'
import { freePorts, untilListening } from '../support/ports.ts'
import { startClientSide, startUpstream } from './nginx.ts'
import { checkGuard } from './preflight.ts'
import type { StartedProcess } from './processes.ts'
import { CALL, type Contestant, type Site } from './site.ts'

/** A contestant that runs, between the client side at `url` and the upstream. */
export interface Entrant {
  readonly contestant: Contestant
  readonly site: Site
  readonly url: string
  readonly process: StartedProcess
}

export interface Entrants extends AsyncDisposable {
  readonly running: readonly Entrant[]
  /** Ends the programs (which flushes their logs) but keeps their folders until disposal. */
  stop(): Promise<void>
}

/** Starts everything at once, to be driven in turn: an idle neighbour costs nothing, a start in between would. */
export async function startEntrants(contestants: readonly Contestant[]): Promise<Entrants> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-bench-'))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  const stack = new AsyncDisposableStack()
  try {
    const running = await start(contestants, folder, stack)
    return {
      running,
      stop: () => stack.disposeAsync(),
      async [Symbol.asyncDispose]() {
        await stack.disposeAsync()
        removeFolder()
      },
    }
  } catch (thrown) {
    await stack.disposeAsync()
    removeFolder()
    throw thrown
  }
}

async function start(
  contestants: readonly Contestant[],
  folder: string,
  stack: AsyncDisposableStack,
): Promise<Entrant[]> {
  const authority = createFileAuthority(join(folder, 'certs'), 'bank.test')
  const [service, caller] = [authority.issue('accounts'), authority.issue('gateway')]
  const [upstreamPort = 0, ...ports] = await freePorts(1 + 2 * contestants.length)
  const routes = contestants.map((_, index) => ({ from: ports[2 * index]!, to: ports[2 * index + 1]! }))
  stack.use(startUpstream(join(folder, 'upstream'), upstreamPort))
  stack.use(startClientSide(join(folder, 'client-side'), caller, routes))
  for (const port of [upstreamPort, ...routes.map(({ from }) => from)]) await untilListening(port)
  const entrants: Entrant[] = []
  for (const [index, contestant] of contestants.entries()) {
    const { from, to } = routes[index]!
    const site = { folder: join(folder, contestant.name), port: to, upstreamPort, service, caller }
    mkdirSync(site.folder)
    const process = stack.use(contestant.start(site))
    await checkGuardOf(contestant, site)
    entrants.push({ contestant, site, process, url: `http://127.0.0.1:${from}${CALL.path}` })
  }
  return entrants
}

/** A program that does not come up says why in its own output. */
async function checkGuardOf(contestant: Contestant, site: Site): Promise<void> {
  try {
    await untilListening(site.port)
    await checkGuard(contestant, site)
  } catch (thrown) {
    const output = readFileSync(join(site.folder, 'output.log'), 'utf8').slice(-2_000)
    throw new Error(`${contestant.name} cannot take part: ${(thrown as Error).message}\n${output}`, { cause: thrown })
  }
}
