import { encodeTrustBundle, parseCsr, type TrustBundle } from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import {
  chunkResource,
  RpcError,
  startControlPlaneServer,
  type AdminHandlers,
  type AuthorityHandlers,
  type FederationHandlers,
  type RevocationHandlers,
  type ControlPlaneHandlers,
  type ResourceKindName,
  type SvidMessage,
  type SyncRequestMessage,
  type SyncServerStream,
} from '@picket/rpc'
import { createWatch, silentLogger, systemClock, type HostPort } from '@picket/runtime'

/** What one stream said, in order, and the means to answer on it. */
export interface TestStream {
  readonly messages: readonly SyncRequestMessage[]
  readonly ended: boolean
  push(kind: ResourceKindName, revision: string, content: string | Uint8Array): void
  rotate(): void
  end(error?: Error): void
}

/** A control plane of the real RPC server and a throw-away authority, without memory: the test says what it pushes. */
export interface TestControlPlane extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly address: HostPort
  readonly streams: readonly TestStream[]
  readonly calls: readonly string[]
  /** How the next calls go; a test may change it at any time. */
  readonly behaviour: { path: string; ttlMs: number; token: string; failure: RpcError | undefined; bundle: TrustBundle }
  /** Stops; `start` brings it back at the same address. */
  stop(): Promise<void>
  start(): Promise<void>
}

export async function startTestControlPlane(
  authority: TestAuthority = createTestAuthority('bank.test'),
): Promise<TestControlPlane> {
  const streams: TestStream[] = []
  const calls: string[] = []
  const behaviour: TestControlPlane['behaviour'] = {
    path: '/payments',
    ttlMs: 3_600_000,
    token: 'token-1',
    failure: undefined,
    bundle: authority.bundle,
  }
  const handlers: ControlPlaneHandlers = {
    async attest({ joinToken, csr, expiredSvid }) {
      calls.push('attest')
      if (behaviour.failure) throw behaviour.failure
      if (!expiredSvid && joinToken !== behaviour.token)
        throw new RpcError('ERR_RPC_DENIED', 'the join token is not known')
      return { svid: sign(authority, behaviour, csr), trustBundle: encodeTrustBundle(behaviour.bundle) }
    },
    async issue({ csr }) {
      calls.push('issue')
      if (behaviour.failure) throw behaviour.failure
      return { svid: sign(authority, behaviour, csr) }
    },
    challenge: async () => ({ challenge: Buffer.from('a challenge'), expiresAtMs: systemClock.now() + 60_000 }),
    issueJwt: () => Promise.reject(new RpcError('ERR_RPC_UNIMPLEMENTED', 'no tokens here')),
    sync: (stream) => void streams.push(toTestStream(stream)),
    admin: {} as AdminHandlers,
    authorities: {} as AuthorityHandlers,
    revocations: {} as RevocationHandlers,
    federation: {} as FederationHandlers,
  }
  let address: HostPort = { host: '127.0.0.1', port: 0 }
  let server: Awaited<ReturnType<typeof startControlPlaneServer>> | undefined
  const svid = createWatch(authority.issueSvid('/picket/control-plane'))
  const deps = { svid, bundles: createWatch(authority.bundles), clock: systemClock, logger: silentLogger }

  async function start(): Promise<void> {
    const options = { address, trustDomain: authority.trustDomain, drainTimeoutMs: 100 }
    server = await startControlPlaneServer(deps, options, handlers)
    address = server.address
  }
  async function stop(): Promise<void> {
    await server?.[Symbol.asyncDispose]()
    server = undefined
  }
  await start()
  return {
    authority,
    streams,
    calls,
    behaviour,
    start,
    stop,
    get address() {
      return address
    },
    [Symbol.asyncDispose]: stop,
  }
}

function sign(authority: TestAuthority, { path, ttlMs }: TestControlPlane['behaviour'], der: Buffer): SvidMessage {
  const { publicKey } = parseCsr(der)
  const notAfter = new Date(systemClock.now() + ttlMs)
  const { id, chain } = authority.issueSvid(path, { notAfter, keyPair: { ...authority.keyPair, publicKey } })
  return { spiffeId: id.uri, chain: chain.map((certificate) => certificate.der) }
}

function toTestStream(stream: SyncServerStream): TestStream {
  const messages: SyncRequestMessage[] = []
  let ended = false
  stream.onMessage((message) => messages.push(message))
  stream.onEnd(() => (ended = true))
  return {
    messages,
    get ended() {
      return ended
    },
    push(kind, revision, content) {
      const bytes = Buffer.from(content)
      for (const chunk of chunkResource({ kind, revision, bytes })) stream.send({ kind: 'chunk', chunk })
    },
    rotate: () => void stream.send({ kind: 'rotate-svid' }),
    end: (error) => stream.end(error),
  }
}

/** Waits for what comes over a socket: looks every few milliseconds, and gives up after five seconds. */
export async function eventually<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const untilMs = systemClock.monotonicMs() + 5000
  for (;;) {
    const seen = look()
    if (seen !== undefined && seen !== false) return seen
    if (systemClock.monotonicMs() > untilMs) throw new Error(`waited in vain for ${what}`)
    await systemClock.sleep(5)
  }
}
