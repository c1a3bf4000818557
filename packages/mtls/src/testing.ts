import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import type { BundleSource, X509Svid } from '@picket/identity'
import { createWatch, silentLogger, systemClock, type Clock, type HostPort, type WatchSource } from '@picket/runtime'
import { createMtlsListener, type MtlsListener, type MtlsListenerOptions } from './listener.ts'
import type { VerifiedPeer } from './peer.ts'
import type { PeerRefusal } from './refusal.ts'
import { toSecureContextOptions } from './secure-context.ts'

/** A listener on a free port that greets whom it lets in and remembers whom it did not. */
export interface TestListener extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly address: HostPort
  readonly svid: WatchSource<X509Svid>
  readonly bundles: WatchSource<BundleSource>
  readonly listener: MtlsListener
  readonly peers: (VerifiedPeer | undefined)[]
  readonly sockets: TLSSocket[]
  readonly refusals: PeerRefusal[]
  readonly remotes: (HostPort | undefined)[]
}

/** Sent to each peer that is let in. */
export const GREETING = 'welcome'

export async function startTestListener(
  options: Partial<MtlsListenerOptions> & { readonly authority?: TestAuthority; readonly clock?: Clock } = {},
): Promise<TestListener> {
  const { authority = createTestAuthority('bank.test'), clock = systemClock, ...rest } = options
  const svid = createWatch(authority.issueSvid('/server'))
  const bundles = createWatch<BundleSource>(authority.bundles)
  const peers: (VerifiedPeer | undefined)[] = []
  const sockets: TLSSocket[] = []
  const refusals: PeerRefusal[] = []
  const remotes: (HostPort | undefined)[] = []
  const listener = await createMtlsListener(
    { svid, bundles, clock, logger: silentLogger },
    { address: { host: '127.0.0.1', port: 0 }, clientCertificate: 'required', alpn: ['http/1.1'], ...rest },
    {
      connection(socket, peer) {
        peers.push(peer)
        sockets.push(socket)
        socket.write(GREETING)
      },
      refused(refusal, remote) {
        refusals.push(refusal)
        remotes.push(remote)
      },
    },
  )
  return {
    authority,
    address: listener.address,
    svid,
    bundles,
    listener,
    peers,
    sockets,
    refusals,
    remotes,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  }
}

/** What a client saw: the bytes that came until the connection closed or `enough` arrived. */
export interface ClientView {
  readonly socket: TLSSocket
  readonly received: string
  readonly resumed: boolean
  /** The last ticket given, to offer next time; servers here give none on resumption. */
  readonly session: Buffer | undefined
}

/** A client that checks nothing: waits for greeting and ticket and leaves the socket open, or waits for the close. */
export async function greet(
  { host, port }: HostPort,
  svid: X509Svid | undefined,
  options: ConnectionOptions = {},
): Promise<ClientView> {
  const socket = connectTls({ host, port, ...toSecureContextOptions(svid), rejectUnauthorized: false, ...options })
  let session: Buffer | undefined
  let resumed = false
  let received = ''
  socket.once('secureConnect', () => (resumed = socket.isSessionReused()))
  socket.on('error', () => {})
  await new Promise<void>((resolve) => {
    const whenGreeted = (): void => {
      if ((session || resumed) && received.includes(GREETING)) resolve()
    }
    socket.once('close', () => resolve())
    socket.on('session', (ticket) => {
      session = ticket
      whenGreeted()
    })
    socket.on('data', (chunk) => {
      received += chunk.toString()
      whenGreeted()
    })
  })
  return { socket, received, resumed, session }
}

/** Sends plain bytes and waits until the other side closes. */
export async function sendPlain({ host, port }: HostPort, bytes: string): Promise<void> {
  const socket: Socket = connect({ host, port })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(bytes)
  socket.resume()
  if (!socket.closed) await once(socket, 'close')
}

/** Polls until `done`; for effects that arrive over sockets. */
export async function eventually(done: () => boolean, withinMs = 5_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!done()) {
    if (Date.now() > deadline) throw new Error('did not happen in time')
    await systemClock.sleep(5)
  }
}
