import type { OnReadOpts, Socket } from 'node:net'
import { connect, createSecureContext, TLSSocket, type SecureContext } from 'node:tls'
import type { BundleSource, SpiffeId, X509Svid } from '@picket/identity'
import { formatHostPort, type Clock, type HostPort, type Watch } from '@picket/runtime'
import { onBundleChange } from './bundle-change.ts'
import { isHybridGroup, type KeyExchangeProfile } from './key-exchange.ts'
import { presentedChain, verifyChain, type VerifiedPeer } from './peer.ts'
import { refusePeer, type PeerRefusal } from './refusal.ts'
import { SessionCache, type Session } from './session-cache.ts'
import { toSecureContextOptions } from './secure-context.ts'

export interface DialerDeps {
  readonly svid: Watch<X509Svid>
  readonly bundles: Watch<BundleSource>
  readonly clock: Pick<Clock, 'now'>
}

export interface DialerOptions {
  readonly alpn?: readonly string[]
  /** Default `hybrid-preferred`. */
  readonly keyExchange?: KeyExchangeProfile
}

/** Opens mutual TLS connections to workloads that are known by their SPIFFE ID. */
export interface Dialer extends Disposable {
  /** Starts connecting; nothing may be written before `prepare` found the peer right. `read` is `net`'s shared buffer. */
  connect(target: HostPort, expected: SpiffeId, read?: { readonly onread: OnReadOpts }): TLSSocket
  /** After 'secureConnect', before the first byte: undefined when the peer is the expected one. The caller closes others. */
  prepare(socket: Socket): PeerRefusal | undefined
  /** Who answered, once `prepare` found it right. */
  peerOf(socket: Socket): VerifiedPeer | undefined
  /** The key exchange group that was agreed on, by OpenSSL's name: `X25519MLKEM768`. */
  groupOf(socket: Socket): string | undefined
}

/** One connection: whom it was meant for, the session it offered, the evidence it got. */
interface Dial {
  readonly key: string
  readonly expected: SpiffeId
  readonly offered: Session | undefined
  /** That of the session cache when dialled: tickets of an earlier one are not kept. */
  readonly generation: number
  /** Tickets that came before the peer was verified. */
  readonly tickets: Buffer[]
  verified?: { readonly peer: VerifiedPeer; readonly chain: readonly Buffer[] }
}

/**
 * Sessions are kept per target and expected ID and used once (RFC 8446 C.4). A resumed connection shows no certificate to a
 * client at all; that the server could resume proves it to be the one that gave the ticket, so the chain verified then
 * is verified again now. SVID or bundle changes drop every session.
 * Sessions above 10 KB, which are those of ML-DSA-65, never reach Node's 'session' event: such peers handshake in full.
 */
export function createDialer(deps: DialerDeps, options: DialerOptions = {}): Dialer {
  const { svid, bundles, clock } = deps
  const sessions = new SessionCache()
  const dials = new WeakMap<Socket, Dial>()
  let context: SecureContext | undefined
  const renew = (): void => {
    context = undefined
    sessions.clear()
  }
  const subscriptions = [svid.subscribe(renew), onBundleChange(bundles, renew)]

  function keep(dial: Dial, ticket: Buffer): void {
    if (dial.verified) sessions.add(dial.key, { ticket, chain: dial.verified.chain }, dial.generation)
    else dial.tickets.push(ticket)
  }

  return {
    connect({ host, port }, expected, read) {
      context ??= createSecureContext(toSecureContextOptions(svid.value, options.keyExchange))
      const key = `${formatHostPort({ host, port })} ${expected.uri}`
      const dial: Dial = { key, expected, offered: sessions.take(key), generation: sessions.generation, tickets: [] }
      const socket = connect({
        host,
        port,
        secureContext: context,
        rejectUnauthorized: false,
        ...(options.alpn && { ALPNProtocols: [...options.alpn] }),
        ...(dial.offered && { session: dial.offered.ticket }),
        ...read,
      })
      socket.setNoDelay(true)
      socket.on('session', (ticket) => keep(dial, ticket))
      dials.set(socket, dial)
      return socket
    },
    prepare(socket) {
      const dial = dials.get(socket)
      if (!dial || !(socket instanceof TLSSocket)) return refusePeer('tls-error', 'not a socket of this dialer')
      const weak = options.keyExchange === 'hybrid-required' ? refuseClassical(socket) : undefined
      if (weak) return weak
      const resumed = socket.isSessionReused()
      const chain = resumed && dial.offered ? dial.offered.chain : presentedChain(socket)
      const peer = verifyChain(chain, bundles.value, new Date(clock.now()), dial.expected, resumed)
      if (peer.kind === 'refused') return peer
      dial.verified = { peer, chain }
      for (const ticket of dial.tickets.splice(0)) keep(dial, ticket)
      return undefined
    },
    peerOf: (socket) => dials.get(socket)?.verified?.peer,
    groupOf: negotiatedGroup,
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      renew()
    },
  }
}

/** `X25519MLKEM768`, `X25519` …; undefined when nobody can tell. A server does not know it. */
export function negotiatedGroup(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.destroyed) return undefined
  const info = socket.getEphemeralKeyInfo()
  return info && 'name' in info && typeof info.name === 'string' ? info.name : undefined
}

/** OpenSSL offers no other group then; asked all the same, since the promise is ours. */
function refuseClassical(socket: Socket): PeerRefusal | undefined {
  const group = negotiatedGroup(socket)
  return isHybridGroup(group) ? undefined : refusePeer('key-exchange', `the keys are of ${group ?? 'no known group'}`)
}
