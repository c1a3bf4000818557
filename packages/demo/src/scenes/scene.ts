import { systemClock } from '@picket/runtime'
import type { AccessRecord } from '../mesh/access-records.ts'
import type { Mesh } from '../mesh/mesh.ts'

/** One thing that the demo shows, with what must come out of it. */
export interface Scene {
  readonly title: string
  readonly play: (mesh: Mesh) => Promise<SceneResult>
}

export interface SceneResult {
  readonly expectations: readonly Expectation[]
  /** Calls to show in the table, in order. */
  readonly calls: readonly Call[]
}

export interface Expectation {
  readonly what: string
  readonly met: boolean
  /** What was seen instead, or the figures that go with it. */
  readonly seen: string
}

/** A row of the table: taken from the callee's access log, not from what the caller believes. */
export interface Call {
  readonly caller: string
  readonly callee: string
  readonly route: string
  readonly decision: string
  readonly reason: string
  readonly status: string
  readonly latency: string
}

export function expect(what: string, met: boolean, seen: unknown): Expectation {
  return { what, met, seen: typeof seen === 'string' ? seen : JSON.stringify(seen) }
}

/** How many inbound records each service had before a scene, so that a scene shows only its own. */
export type LogMarks = ReadonlyMap<string, number>

export async function markLogs(mesh: Mesh): Promise<LogMarks> {
  return new Map(
    await Promise.all(
      mesh.services.map(async (service) => [service.name, (await inboundRecords(service)).length] as const),
    ),
  )
}

/**
 * Inbound records since `marks`, as rows in order of time; waits a little for the logs' buffers to reach the files, until
 * `wanted` rows are there.
 */
export async function callsSince(mesh: Mesh, marks: LogMarks, wanted: number): Promise<Call[]> {
  let records: AccessRecord[] = []
  for (let attempt = 0; attempt < 40; attempt++) {
    const perService = await Promise.all(
      mesh.services.map(async (service) => (await inboundRecords(service)).slice(marks.get(service.name) ?? 0)),
    )
    records = perService.flat()
    if (records.length >= wanted) break
    await systemClock.sleep(50)
  }
  return records.sort((a, b) => a.time.localeCompare(b.time)).map(toCall)
}

async function inboundRecords(service: Mesh['services'][number]): Promise<AccessRecord[]> {
  return (await service.accessLog()).filter((record) => record.direction === 'inbound')
}

function toCall(record: AccessRecord): Call {
  return {
    caller: record.caller ? record.caller.slice(record.caller.lastIndexOf('/') + 1) : '(nobody)',
    callee: record.service,
    route: record.kind === 'request' ? `${record.method} ${record.path}` : `(${record.kind})`,
    decision: record.decision ?? 'refused',
    reason: record.detail || record.reason || '',
    status: record.status ? String(record.status) : '-',
    latency: record.duration_us === undefined ? '-' : `${(record.duration_us / 1000).toFixed(1)} ms`,
  }
}
