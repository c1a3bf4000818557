import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EntryDraft } from '@picket/rpc'
import { systemClock } from '@picket/runtime'
import { bankPolicy, runPicket, startMesh, type Mesh } from '../../support/mesh.ts'
import { usageOf } from '../processes.ts'
import { quantile, type Table } from '../table.ts'
import type { FromFleet, ToFleet } from './fleet-messages.ts'

const TARGET_P99_MS = 1000
const TRIES = 5
/** Sidecars that share an entry of their own. */
const GROUP = 100
const ROTATION_MS = 300_000

/** What the control plane does for a mesh of `size` sidecars that are all connected at once. */
export async function measureFleet(size: number, say: (line: string) => void): Promise<Table[]> {
  await using mesh = await startMesh({ services: {}, policy: bankPolicy })
  const emptyBytes = usageOf(mesh.controlPlane.pid).residentBytes
  say(`enrols ${size} sidecars`)
  await using fleet = await startFleet(mesh, size)
  const fleetBytes = fleet.residentBytes
  await sleep(2000)
  const controlPlaneBytes = usageOf(mesh.controlPlane.pid).residentBytes - emptyBytes
  say('changes entries')
  const pushes = await measurePushes(mesh, fleet)
  say('rotates the trust domain')
  const rotation = await measureRotation(mesh, fleet)
  return [
    toPushTable(size, pushes),
    {
      title: `Memory for ${size} connected sidecars`,
      columns: ['process', 'KiB per sidecar'],
      rows: [
        ['control plane', (controlPlaneBytes / size / 1024).toFixed(0)],
        ['the sidecars’ agents (identity and resources, no data path)', (fleetBytes / size / 1024).toFixed(0)],
      ],
      notes: [],
    },
    toRotationTable(size, rotation),
  ]
}

interface Fleet extends AsyncDisposable {
  readonly residentBytes: number
  readonly size: number
  /** Sends a message and waits for the one that answers it. */
  ask<K extends FromFleet['kind']>(message: ToFleet, answer: K): Promise<Extract<FromFleet, { kind: K }>>
  tell(message: ToFleet): void
}

async function startFleet(mesh: Mesh, size: number): Promise<Fleet> {
  const names = Array.from({ length: size }, (_, index) => `sidecar-${index}`)
  const changes = names.map((name) => ({ kind: 'create' as const, draft: draftOf(mesh, name, `service:${name}`) }))
  const { admin } = mesh.operator.client
  await admin.applyEntries({ expectedRevision: 0, changes })
  const joinTokens: string[] = []
  for (const name of names) {
    const group = joinTokens.length < GROUP ? ['fleet:group'] : []
    const selectors = [`service:${name}`, 'fleet:bench', ...group]
    joinTokens.push((await admin.createToken({ selectors, ttlSeconds: 0 })).token)
  }
  const child = fork(join(import.meta.dirname, 'fleet-main.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ask: Fleet['ask'] = (message, answer) => {
    child.send(message)
    return answered(child, answer)
  }
  const plan = {
    address: mesh.controlPlaneAddress,
    trustDomain: mesh.trustDomain,
    trustBundleFile: join(mesh.directory, 'control-plane', 'trust-bundle.pem'),
    joinTokens,
  }
  const { residentBytes } = await ask({ kind: 'start', plan }, 'started')
  return {
    residentBytes,
    size,
    ask,
    tell: (message) => void child.send(message),
    async [Symbol.asyncDispose]() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      if (child.connected) child.send({ kind: 'stop' } satisfies ToFleet)
      await Promise.race([exited, sleep(10_000, undefined, { ref: false })])
      child.kill('SIGKILL')
    },
  }
}

function answered<K extends FromFleet['kind']>(child: ChildProcess, kind: K): Promise<Extract<FromFleet, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromFleet): void => {
      if (message.kind === 'failed') settle(() => reject(new Error(message.error)))
      else if (message.kind === kind) settle(() => resolve(message as Extract<FromFleet, { kind: K }>))
    }
    const onExit = (): void => settle(() => reject(new Error('the fleet’s process has ended')))
    function settle(finish: () => void): void {
      child.off('message', onMessage)
      child.off('exit', onExit)
      finish()
    }
    child.on('message', onMessage)
    child.once('exit', onExit)
  })
}

function draftOf({ trustDomain }: Mesh, name: string, selector: string): EntryDraft {
  const spiffeId = `spiffe://${trustDomain}/${name}`
  return { spiffeId, selectors: [selector], ttlSeconds: 0, dnsNames: [], service: '', hint: '', federatesWith: [] }
}

interface Push {
  readonly delaysMs: readonly number[]
  readonly missing: number
}

interface Pushes {
  readonly one: Push
  readonly group: Push
  readonly all: Push
}

/** A new entry that some are entitled to: from the operator's call to a new SVID in each sidecar's hands. */
async function measurePushes(mesh: Mesh, fleet: Fleet): Promise<Pushes> {
  const one: Push[] = []
  for (let turn = 0; turn < TRIES; turn++)
    one.push(await push(mesh, fleet, `only-${turn}`, `service:sidecar-${turn}`, 1))
  return {
    one: {
      delaysMs: one.flatMap(({ delaysMs }) => delaysMs),
      missing: one.reduce((sum, { missing }) => sum + missing, 0),
    },
    group: await push(mesh, fleet, 'group', 'fleet:group', Math.min(GROUP, fleet.size)),
    all: await push(mesh, fleet, 'everybody', 'fleet:bench', fleet.size),
  }
}

async function push(mesh: Mesh, fleet: Fleet, name: string, selector: string, expected: number): Promise<Push> {
  const draft = draftOf(mesh, name, selector)
  const arrived = fleet.ask({ kind: 'expect', spiffeId: draft.spiffeId, count: expected }, 'arrived')
  await sleep(200)
  const fromMs = systemClock.now()
  await mesh.operator.client.admin.createEntry(draft)
  const { atMs, missing } = await arrived
  return { delaysMs: atMs.map((instant) => instant - fromMs), missing }
}

interface Rotation {
  readonly tookMs: number
  readonly requests: number
  readonly failures: Readonly<Record<string, number>>
}

/** Prepare, distribute, activate, taint, re-issue, revoke, while the fleet calls itself. */
async function measureRotation(mesh: Mesh, fleet: Fleet): Promise<Rotation> {
  fleet.tell({ kind: 'start-traffic' })
  await sleep(1000)
  const fromMs = performance.now()
  const dataDir = join(mesh.directory, 'control-plane')
  const { code, stderr } = await runPicket(['ca', 'rotate', '--x509', '--data-dir', dataDir], ROTATION_MS)
  if (code !== 0) throw new Error(`picket ca rotate ended with ${code}: ${stderr.trim()}`)
  const tookMs = performance.now() - fromMs
  await sleep(1000)
  const { requests, failures } = await fleet.ask({ kind: 'stop-traffic' }, 'traffic')
  return { tookMs, requests, failures }
}

function toPushTable(size: number, { one, group, all }: Pushes): Table {
  const row = (name: string, { delaysMs, missing }: Push): string[] => [
    name,
    String(delaysMs.length),
    quantile(delaysMs, 0.5).toFixed(0),
    quantile(delaysMs, 0.99).toFixed(0),
    String(missing),
  ]
  const p99Ms = quantile(all.delaysMs, 0.99)
  return {
    title: `A new entry: from the operator’s call to the new SVID at the sidecar, ${size} connected`,
    columns: ['entry for', 'SVIDs', 'p50 ms', 'p99 ms', 'missing'],
    rows: [row('one sidecar', one), row('a group', group), row('every sidecar', all)],
    notes: [
      `target p99 < ${TARGET_P99_MS} ms for all: ${p99Ms.toFixed(0)} ms, ${p99Ms < TARGET_P99_MS ? 'met' : 'missed'}`,
    ],
  }
}

function toRotationTable(size: number, { tookMs, requests, failures }: Rotation): Table {
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0)
  return {
    title: `picket ca rotate --x509 with ${size} connected sidecars: new authorities, every SVID re-issued, the old ones revoked`,
    columns: ['', 'seconds', 'calls meanwhile', 'failed'],
    rows: [['rotation', (tookMs / 1000).toFixed(1), String(requests), String(failed)]],
    notes: Object.entries(failures).map(([failure, count]) => `${count} × ${failure}`),
  }
}
