import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { after, before, suite, test } from 'node:test'
import { bankPolicy, replacePolicyData, startMesh, type Mesh } from '../support/mesh.ts'

const GIB = 1024 ** 3
const PIECE = Buffer.alloc(256 * 1024, 'picket streams what it is given; ')
const GROWTH_LIMIT_MB = 64

/** Bodies far larger than memory should hold, both ways through both sidecars. */
suite('a 1 GiB body', { timeout: 170_000 }, () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startMesh({
      policy: bankPolicy,
      services: {
        gateway: { callerOnly: true },
        files: { handler: (incoming, response) => void serveFiles(incoming, response) },
      },
    })
    await mesh.pushPolicy(
      await replacePolicyData(mesh.directory, 'files', (data) => ({
        ...data,
        routes: {
          files: [
            { method: 'PUT', path: '/big', roles: ['front-office'] },
            { method: 'GET', path: '/big', roles: ['front-office'] },
          ],
        },
      })),
    )
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  for (const method of ['PUT', 'GET'] as const) {
    test(`streams through with ${method}, whole, with resident memory growing under ${GROWTH_LIMIT_MB} MiB`, async (t) => {
      await transfer('GET', 8 * 1024 ** 2) // buffers and code are warm before the measurement
      const pids = ['gateway', 'files'].map((name) => mesh.service(name).sidecar.pid)
      const before = pids.map(residentMb)
      let peak = before
      const sampler = setInterval(
        () => (peak = pids.map((pid, index) => Math.max(residentMb(pid), peak[index] ?? 0))),
        100,
      )
      const { bytes, digest } = await transfer(method, GIB).finally(() => clearInterval(sampler))
      assert.equal(bytes, GIB)
      assert.equal(digest, digestOf(GIB))
      const growth = peak.map((mb, index) => mb - (before[index] ?? 0))
      t.diagnostic(`RSS growth: outbound ${growth[0]?.toFixed(1)} MiB, inbound ${growth[1]?.toFixed(1)} MiB`)
      for (const mb of growth) assert.ok(mb < GROWTH_LIMIT_MB, `grew by ${mb.toFixed(1)} MiB`)
    })
  }

  /** PUT: what the app received. GET: what the caller received. */
  function transfer(method: 'PUT' | 'GET', size: number): Promise<{ bytes: number; digest: string }> {
    const { outbound } = mesh.service('gateway')
    const headers = { host: 'files.mesh', 'x-size': String(size), ...(method === 'PUT' && { 'content-length': size }) }
    return new Promise((resolve, reject) => {
      const call = request({ ...outbound, method, path: '/big', headers }, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
        if (method === 'GET') return void measure(response).then(resolve, reject)
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
        response.on('end', () => resolve(JSON.parse(body) as { bytes: number; digest: string }))
      })
      call.on('error', reject)
      if (method === 'PUT') pipeline(Readable.from(pieces(size)), call).catch(reject)
      else call.end()
    })
  }
})

async function serveFiles(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (incoming.method === 'PUT') {
    const received = await measure(incoming)
    response.end(JSON.stringify(received))
  } else {
    await pipeline(Readable.from(pieces(Number(incoming.headers['x-size']))), response)
  }
}

function* pieces(size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += PIECE.length) yield PIECE
}

async function measure(stream: IncomingMessage): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    hash.update(chunk)
  }
  return { bytes, digest: hash.digest('hex') }
}

function digestOf(size: number): string {
  const hash = createHash('sha256')
  for (const piece of pieces(size)) hash.update(piece)
  return hash.digest('hex')
}

function residentMb(pid: number): number {
  const [, kb = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) / 1024
}
