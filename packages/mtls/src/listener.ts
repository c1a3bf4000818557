import type { DropArgument, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { BundleSource, X509Svid } from '@picket/identity'
import { codeOf, formatHostPort, messageOf, type Clock, type HostPort, type Logger, type Watch } from '@picket/runtime'
import { onBundleChange } from './bundle-change.ts'
import { ChainMemory } from './chain-memory.ts'
import { MtlsError } from './error.ts'
import type { KeyExchangeProfile } from './key-exchange.ts'
import { presentedChain, verifyChain, type VerifiedPeer } from './peer.ts'
import { refusePeer, toHandshakeRefusal, type PeerRefusal } from './refusal.ts'
import { toSecureContextOptions } from './secure-context.ts'

export interface MtlsListenerDeps {
  readonly svid: Watch<X509Svid>
  readonly bundles: Watch<BundleSource>
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export interface MtlsListenerOptions {
  readonly address: HostPort
  /** `optional` lets a peer without a certificate in, as `undefined`; a certificate that is shown must verify anyway. */
  readonly clientCertificate: 'required' | 'optional'
  /** Protocols offered; a peer that asks for none of them is refused, one that asks for nothing is not. */
  readonly alpn: readonly string[]
  /** Default `hybrid-preferred`. Which group a peer agreed on, only the dialling end can see. */
  readonly keyExchange?: KeyExchangeProfile
  /** Default 10 s. */
  readonly handshakeTimeoutMs?: number
  /** Default 10 000; further connections are refused at once. */
  readonly maxConnections?: number
}

export interface MtlsListenerEvents {
  connection(socket: TLSSocket, peer: VerifiedPeer | undefined): void
  /** Once per connection that did not get in. A connection closed before its first byte is none. */
  refused(refusal: PeerRefusal, remote: HostPort | undefined): void
}

export interface MtlsListener extends AsyncDisposable {
  readonly address: HostPort
  /** Closes the listening socket; connections stay. */
  stopAccepting(): void
}

/**
 * Listens for TLS 1.3 and lets in only verified peers. SVID and bundles are followed: live connections stay, new ones get
 * the new context, whose fresh ticket keys end every older session. Throws `ERR_PORT_IN_USE` or `ERR_LISTEN`; disposal
 * destroys what is still open.
 */
export async function createMtlsListener(
  deps: MtlsListenerDeps,
  options: MtlsListenerOptions,
  on: MtlsListenerEvents,
  signal?: AbortSignal,
): Promise<MtlsListener> {
  signal?.throwIfAborted()
  const server = createTlsServer(deps, options)
  const connections = acceptConnections(server, deps, options, on)
  await listen(server, options.address)
  const rotate = (): void => rotateContext(server, deps, options)
  const subscriptions = [deps.svid.subscribe(rotate), onBundleChange(deps.bundles, rotate)]
  const { address, port } = server.address() as { address: string; port: number }
  server.on('error', (error) => deps.logger.error('listener failed', { error: error.message }))
  return {
    address: { host: address, port },
    stopAccepting: () => void server.close(),
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of connections) socket.destroy()
      await closed
    },
  }
}

function createTlsServer({ svid }: MtlsListenerDeps, options: MtlsListenerOptions): Server {
  const server = createServer({
    ...toSecureContextOptions(svid.value, options.keyExchange),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [...options.alpn],
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    noDelay: true,
  })
  server.maxConnections = options.maxConnections ?? 10_000
  return server
}

function listen(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      const inUse = codeOf(cause) === 'EADDRINUSE'
      const why = inUse ? 'the port is in use' : messageOf(cause)
      const message = `cannot listen on ${formatHostPort({ host, port })}: ${why}`
      reject(new MtlsError(inUse ? 'ERR_PORT_IN_USE' : 'ERR_LISTEN', message, { cause, retryable: inUse }))
    }
    server.once('error', onError)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

/** `setSecureContext` makes new ticket keys, so sessions from before the change are not resumed but made anew. */
function rotateContext(server: Server, { svid, logger }: MtlsListenerDeps, { keyExchange }: MtlsListenerOptions): void {
  try {
    server.setSecureContext(toSecureContextOptions(svid.value, keyExchange))
  } catch (thrown) {
    logger.error('keeps the previous TLS context', { error: messageOf(thrown) })
  }
}

/** Wires the server's events so that each connection ends in exactly one of `connection` and `refused`. */
function acceptConnections(
  server: Server,
  deps: MtlsListenerDeps,
  options: MtlsListenerOptions,
  on: MtlsListenerEvents,
): ReadonlySet<Socket> {
  const open = new Set<Socket>()
  const handshaking = new Map<string, HostPort>()
  const memory = new ChainMemory()
  const report = guarded(deps.logger, (refusal: PeerRefusal, remote: HostPort | undefined) => {
    on.refused(refusal, remote)
  })
  const admit = guarded(deps.logger, (socket: TLSSocket) => {
    const peer = identify(socket, deps, options, memory)
    if (peer?.kind !== 'refused') return on.connection(socket, peer)
    report(peer, remoteOf(socket))
    socket.destroy()
  })

  server.on('connection', (socket: Socket) => {
    socket.on('error', ignoreError)
    const remote = remoteOf(socket)
    const key = keyOf(socket)
    open.add(socket)
    if (remote) handshaking.set(key, remote)
    socket.once('close', () => {
      open.delete(socket)
      if (handshaking.delete(key) && socket.bytesRead > 0) report(toHandshakeRefusal({ code: 'ECONNRESET' }), remote)
    })
  })
  server.on('tlsClientError', (error, socket) => {
    socket.on('error', ignoreError)
    const remote = handshaking.get(keyOf(socket))
    if (remote && handshaking.delete(keyOf(socket))) report(toHandshakeRefusal(error), remote)
    socket.destroy()
  })
  server.on('secureConnection', (socket) => {
    socket.on('error', ignoreError)
    handshaking.delete(keyOf(socket))
    admit(socket)
  })
  server.on('drop', (dropped?: DropArgument) => {
    const { remoteAddress: host, remotePort: port } = dropped ?? {}
    const remote = host === undefined || port === undefined ? undefined : { host: plainHost(host), port }
    report(refusePeer('too-many-connections', `more than ${server.maxConnections} connections`), remote)
  })
  return open
}

function identify(
  socket: TLSSocket,
  { bundles, clock }: MtlsListenerDeps,
  { clientCertificate }: MtlsListenerOptions,
  memory: ChainMemory,
): VerifiedPeer | PeerRefusal | undefined {
  const presented = presentedChain(socket)
  if (presented.length === 0 && clientCertificate === 'optional') return undefined
  const resumed = socket.isSessionReused()
  const chain = resumed ? memory.complete(presented) : presented
  const peer = verifyChain(chain, bundles.value, new Date(clock.now()), undefined, resumed)
  if (peer.kind === 'verified' && !resumed) memory.remember(chain)
  return peer
}

/** An exception in a listener's callback would end the process; it becomes a line in the log. */
function guarded<Args extends unknown[]>(logger: Logger, call: (...args: Args) => void): (...args: Args) => void {
  return (...args) => {
    try {
      call(...args)
    } catch (thrown) {
      logger.error('connection handler failed', { error: messageOf(thrown) })
      for (const arg of args) if (isSocket(arg)) arg.destroy()
    }
  }
}

function isSocket(value: unknown): value is Socket {
  return typeof value === 'object' && value !== null && 'destroy' in value
}

/** Reset, broken pipe, bad record: the socket closes and says so; what it carried is accounted for on 'close'. */
function ignoreError(): void {}

/** TLS socket and raw socket share their remote address, which is how a failure finds its connection. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}

function remoteOf({ remoteAddress, remotePort }: Socket): HostPort | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined
  return { host: plainHost(remoteAddress), port: remotePort }
}

/** `::ffff:127.0.0.1` → `127.0.0.1`. */
function plainHost(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
