import { programPath } from '../support/programs.ts'
import { startEntrants, type Entrant } from './entrants.ts'
import { envoy } from './envoy.ts'
import { nginx, nginxBuffered } from './nginx.ts'
import { raw, sidecar } from './node.ts'
import { checkLog } from './preflight.ts'
import { usageOf } from './processes.ts'
import { CALL, type Contestant } from './site.ts'
import { driveLoad, type Load } from './wrk.ts'

/** What one inbound request costs the program that guards a service; the method is in this folder's README. */
export const CONTESTANTS: readonly Contestant[] = [nginx, nginxBuffered, envoy, sidecar, raw]

export interface RequestOptions {
  /** Names of the rows wanted; empty = all. */
  readonly only: readonly string[]
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly say: (line: string) => void
}

/** One program's figures, each the median of its rounds. */
export interface Row {
  readonly name: string
  readonly does: string
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicroseconds: number
  /** CPU per request of the cheapest and of the dearest round. */
  readonly cpuRange: readonly [number, number]
  readonly residentMegabytes: number
}

export interface RequestTable {
  readonly rows: readonly Row[]
  /** Rows left out, with the command that would bring the program. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[]
}

type Sample = Load & { readonly cpuMicroseconds: number; readonly residentBytes: number }

/** Caches, connection pools and compilers settle before anything counts. */
const WARM_UP_SECONDS = 5

export async function measureRequests(options: RequestOptions): Promise<RequestTable> {
  const wanted = CONTESTANTS.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const leftOut = wanted.flatMap(({ name, missing }) => (missing === undefined ? [] : [{ name, why: missing }]))
  await using entrants = await startEntrants(wanted.filter(({ missing }) => missing === undefined))
  const samples = new Map<Entrant, Sample[]>()
  for (const entrant of entrants.running) {
    samples.set(entrant, [])
    await drive(entrant, options.connections, WARM_UP_SECONDS)
    options.say(`${entrant.contestant.name}: answers through mutual TLS, refuses a caller without a certificate, warm`)
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const entrant of entrants.running) {
      const sample = await drive(entrant, options.connections, options.seconds)
      samples.get(entrant)!.push(sample)
      options.say(`round ${round}/${options.rounds}: ${entrant.contestant.name}: ${describe(sample)}`)
    }
  }
  await entrants.stop()
  for (const [{ contestant, site }, taken] of samples) checkLog(contestant, site, sum(taken.map((s) => s.requests)))
  return { rows: [...samples].map(([entrant, taken]) => toRow(entrant.contestant, taken)), leftOut }
}

async function drive({ contestant, process, url }: Entrant, connections: number, seconds: number): Promise<Sample> {
  const before = usageOf(process.pid)
  const load = await driveLoad({ wrk: programPath('wrk'), url, headers: CALL.headers, connections, seconds })
  const after = usageOf(process.pid)
  if (load.failures > 0 || load.requests === 0 || process.exited()) {
    throw new Error(`${contestant.name}: ${load.failures} of ${load.requests} requests failed`)
  }
  const cpuMicroseconds = (after.cpuMicroseconds - before.cpuMicroseconds) / load.requests
  return { ...load, cpuMicroseconds, residentBytes: after.residentBytes }
}

function toRow({ name, does }: Contestant, samples: readonly Sample[]): Row {
  const of = (figure: keyof Sample): number => median(samples.map((sample) => sample[figure]))
  const costs = samples.map(({ cpuMicroseconds }) => cpuMicroseconds)
  return {
    name,
    does,
    requestsPerSecond: of('requestsPerSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMicroseconds: of('cpuMicroseconds'),
    cpuRange: [Math.min(...costs), Math.max(...costs)],
    residentMegabytes: of('residentBytes') / 2 ** 20,
  }
}

function describe({ requestsPerSecond, cpuMicroseconds, p99Ms }: Sample): string {
  return `${requestsPerSecond.toFixed(0)} requests/s, p99 ${p99Ms.toFixed(2)} ms, ${cpuMicroseconds.toFixed(1)} µs CPU each`
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
