import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request as plainRequest, type IncomingMessage } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem, type X509Svid } from '@picket/identity'
import { resolveSettings, silentLogger, systemClock, systemRandom, type HostPort } from '@picket/runtime'
import { sidecarSettings, type SidecarSettings } from './settings.ts'
import { startSidecar, type Sidecar } from './sidecar.ts'
import { eventually, startTestControlPlane } from '@picket/agent/testing'

export const POLICY = new URL('../../../policies/authz.bundle.tar.gz', import.meta.url)

export interface Answer {
  readonly status: number
  readonly body: string
  readonly connection: string | undefined
}

/** The app behind the sidecar: answers at once, or with `/slow` when the test opens the door. */
async function startApp() {
  const door = Promise.withResolvers<void>()
  let slow = 0
  const server = createServer((incoming, response) => {
    if (incoming.url !== '/health?slow')
      return void response.end(`app ${String(incoming.headers['x-forwarded-client-cert'])}`)
    slow += 1
    void door.promise.then(() => response.end('slow'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    openDoor: door.resolve,
    get slow() {
      return slow
    },
    [Symbol.asyncDispose]: async () => {
      door.resolve()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A control plane, an app, and a sidecar between them that tests start, restart and stop. */
export async function setUp() {
  const stack = new AsyncDisposableStack()
  const plane = stack.use(await startTestControlPlane())
  const app = stack.use(await startApp())
  const dir = await mkdtemp(join(tmpdir(), 'picket-sidecar-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const file = async (name: string, content: string | Buffer): Promise<string> => {
    await writeFile(join(dir, name), content)
    return join(dir, name)
  }
  const listeners = {
    inbound: '127.0.0.1:0',
    app: app.address,
    admin: '127.0.0.1:0',
    accessLog: join(dir, 'access.log'),
  }
  const mesh = {
    ...listeners,
    controlPlane: `127.0.0.1:${plane.address.port}`,
    trustDomain: 'bank.test',
    trustBundle: await file('bundle.pem', encodeTrustBundlePem(plane.authority.bundle)),
    joinToken: 'token-1',
    stateDir: join(dir, 'state'),
    outboundListener: '127.0.0.1:0',
  }
  const caller = plane.authority.issueSvid('/gateway')
  const signals: AbortController[] = []
  async function start(given: Readonly<Record<string, string>> = mesh): Promise<Sidecar> {
    const stop = new AbortController()
    signals.push(stop)
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger }
    return stack.use(await startSidecar(deps, settingsOf(given), stop.signal))
  }
  const pushPolicy = async (): Promise<void> => {
    const stream = await eventually('a stream', () => plane.streams.findLast(({ ended }) => !ended))
    stream.push('policy-bundle', 'p1', await readFile(POLICY))
  }
  return {
    plane,
    app,
    dir,
    file,
    listeners,
    mesh,
    caller,
    start,
    pushPolicy,
    stop: () => signals.at(-1)?.abort(new Error('SIGTERM')),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function settingsOf(given: Readonly<Record<string, string>>): SidecarSettings {
  return resolveSettings(sidecarSettings, [
    Object.entries(given).map(([key, text]) => ({ key, text, place: `--${key}` })),
  ])
}

/** A call of one workload to a sidecar, on a connection of its own. */
export function call({ inbound }: Sidecar['addresses'], caller: X509Svid, path: string): Promise<Answer> {
  const cert = encodeCertificatesPem(caller.chain)
  const key = encodePrivateKeyPem(caller.privateKey)
  const options = { ...inbound, path, cert, key, agent: false, rejectUnauthorized: false }
  return answerOf((on) => tlsRequest(options, on))
}

export function get({ host, port }: HostPort, path: string): Promise<Answer> {
  return answerOf((on) => plainRequest({ host, port, path, agent: false }, on))
}

function answerOf(ask: (on: (response: IncomingMessage) => void) => ReturnType<typeof plainRequest>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = ask((response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, connection: response.headers.connection }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}
