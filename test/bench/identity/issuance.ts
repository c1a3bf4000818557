import { setTimeout as sleep } from 'node:timers/promises'
import { createCsr, generateKeyPair, type KeyPair, type X509Svid } from '@picket/identity'
import { createBundleSource, parseTrustBundlePem, parseTrustDomain } from '@picket/identity'
import { connectControlPlane, type ControlPlaneClient } from '@picket/rpc'
import { createWatch, silentLogger, systemClock } from '@picket/runtime'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bankPolicy, startMesh, type Mesh } from '../../support/mesh.ts'
import { usageOf } from '../processes.ts'
import { median, type Table } from '../table.ts'
import type { MeasureOptions } from './signing.ts'

const TARGET_PER_CPU_SECOND = 2500
/** What SPIRE's server managed, without TLS, on this kind of machine (shared reference); it cannot be built here. */
const SPIRE_PER_CPU_SECOND = 1780
const WORKLOADS = 32
const CALLS_AT_ONCE = 4

/** `Issue` over gRPC with mutual TLS: what one SVID costs the process of the control plane, registry and journal included. */
export async function measureIssuance({ rounds, seconds }: MeasureOptions): Promise<Table> {
  await using mesh = await startMesh({ services: {}, policy: bankPolicy })
  await using stack = new AsyncDisposableStack()
  const workloads = await Promise.all(
    Array.from({ length: WORKLOADS }, (_, index) => enroll(mesh, stack, `workload-${index}`)),
  )
  await issueFor(workloads, 0.5)
  const figures: Figure[] = []
  for (let round = 0; round < rounds; round++) {
    figures.push(await measureOnce(mesh, workloads, seconds))
    await sleep(500)
  }
  return toTable(figures)
}

interface Workload {
  readonly client: ControlPlaneClient
  readonly csr: Buffer
}

async function enroll(mesh: Mesh, stack: AsyncDisposableStack, name: string): Promise<Workload> {
  await mesh.operator.createEntry(name)
  const svid = await mesh.operator.attest(name)
  const client = stack.use(await connect(mesh, svid))
  const keyPair: KeyPair = generateKeyPair()
  return { client, csr: createCsr(keyPair, svid.id) }
}

async function connect(mesh: Mesh, svid: X509Svid): Promise<ControlPlaneClient> {
  const trustDomain = parseTrustDomain(mesh.trustDomain)
  const pem = await readFile(join(mesh.directory, 'control-plane', 'trust-bundle.pem'), 'utf8')
  const bundles = createWatch(createBundleSource([parseTrustBundlePem(pem, trustDomain)]))
  const deps = { bundles, svid: createWatch<X509Svid | undefined>(svid), clock: systemClock, logger: silentLogger }
  return connectControlPlane(deps, { address: mesh.controlPlaneAddress, trustDomain })
}

interface Figure {
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly waited: number
}

async function measureOnce(mesh: Mesh, workloads: readonly Workload[], seconds: number): Promise<Figure> {
  const before = usageOf(mesh.controlPlane.pid).cpuMicroseconds
  const fromMs = performance.now()
  const { issued, waited } = await issueFor(workloads, seconds)
  const tookMs = performance.now() - fromMs
  const cpuMicroseconds = usageOf(mesh.controlPlane.pid).cpuMicroseconds - before
  return { perCpuSecond: issued / (cpuMicroseconds / 1e6), perSecond: issued / (tookMs / 1000), waited }
}

/** Every workload asks for one SVID after the other on a few calls at once; a limit's word on waiting is kept. */
async function issueFor(
  workloads: readonly Workload[],
  seconds: number,
): Promise<{ readonly issued: number; readonly waited: number }> {
  const endMs = performance.now() + seconds * 1000
  let issued = 0
  let waited = 0
  const ask = async ({ client, csr }: Workload): Promise<void> => {
    while (performance.now() < endMs) {
      try {
        await client.issue({ csr })
        issued += 1
      } catch (thrown) {
        const { code, retryAfterMs } = thrown as { code?: string; retryAfterMs?: number }
        if (code !== 'ERR_RPC_EXHAUSTED') throw thrown
        waited += 1
        await sleep(Math.min(retryAfterMs ?? 100, 1000))
      }
    }
  }
  await Promise.all(workloads.flatMap((workload) => Array.from({ length: CALLS_AT_ONCE }, () => ask(workload))))
  return { issued, waited }
}

function toTable(figures: readonly Figure[]): Table {
  const perCpuSecond = median(figures.map((figure) => figure.perCpuSecond))
  const range = figures.map((figure) => figure.perCpuSecond)
  const waited = figures.reduce((sum, figure) => sum + figure.waited, 0)
  return {
    title: `Issue over gRPC with mutual TLS (${WORKLOADS} workloads, ${CALLS_AT_ONCE} calls each at once; the control plane’s process only)`,
    columns: ['way', 'per CPU second', 'rounds', 'SVIDs/s', '× SPIRE'],
    rows: [
      [
        'picket control plane',
        perCpuSecond.toFixed(0),
        `${Math.min(...range).toFixed(0)}–${Math.max(...range).toFixed(0)}`,
        median(figures.map((figure) => figure.perSecond)).toFixed(0),
        (perCpuSecond / SPIRE_PER_CPU_SECOND).toFixed(2),
      ],
    ],
    notes: [
      `target ${TARGET_PER_CPU_SECOND} per CPU second: ${perCpuSecond >= TARGET_PER_CPU_SECOND ? 'met' : 'missed'}`,
      `SPIRE’s ${SPIRE_PER_CPU_SECOND} is a figure from elsewhere (no TLS, this kind of machine), not of this run`,
      ...(waited > 0 ? [`${waited} calls were told to wait by the limits`] : []),
    ],
  }
}
