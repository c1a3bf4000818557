import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js'
import type { BundleSource, SpiffeId, X509Svid } from '@picket/identity'
import {
  negotiatedGroup,
  reverify,
  toSecureContextOptions,
  verifyPeer,
  type KeyExchangeProfile,
  type PeerRefusal,
  type VerifiedPeer,
} from '@picket/mtls'
import type { Clock, Watch } from '@picket/runtime'

/**
 * A channel's security, ours instead of the transport's: TLS 1.3 with the SVID of this generation, no trust in OpenSSL's
 * verdict, and the SPIFFE verification of `mtls/peer.ts` before the socket is handed over. HTTP/2 writes its first byte
 * only after that, so nothing is said to a server that is not the expected one.
 */
export interface PeerExpectation {
  readonly svid: X509Svid | undefined
  /** Looked at when a connection is made, and again by `isRefused`. */
  readonly bundles: Watch<BundleSource>
  readonly expected: SpiffeId
  readonly handshakeTimeoutMs: number
  readonly keyExchange: KeyExchangeProfile
}

type SecureConnector = ReturnType<ChannelCredentials['_createSecureConnector']>

export class VerifyingCredentials extends ChannelCredentials {
  readonly #expectation: PeerExpectation
  readonly #clock: Clock
  /** Why the newest connection was not handed over; undefined after one that was. */
  refusal: PeerRefusal | undefined
  /** Of the newest connection. */
  group: string | undefined
  readonly #live = new Map<TLSSocket, VerifiedPeer>()

  constructor(expectation: PeerExpectation, clock: Clock) {
    super()
    this.#expectation = expectation
    this.#clock = clock
  }

  /** True when the server of a live connection would not be taken any more: its certificate does not verify now. */
  get isRefused(): boolean {
    const now = new Date(this.#clock.now())
    return this.#live.values().some((peer) => reverify(peer, this.#expectation.bundles.value, now).kind === 'refused')
  }

  _isSecure(): boolean {
    return true
  }

  /** Subchannels are shared between equal credentials; ours belong to one SVID each. */
  _equals(other: ChannelCredentials): boolean {
    return other === this
  }

  _createSecureConnector(_target: unknown, _options: unknown, calls?: CallCredentials): SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => calls ?? CallCredentials.createEmpty(),
      destroy() {},
    }
  }

  async #secure(tcp: Socket): Promise<TLSSocket> {
    const { svid, bundles, expected, handshakeTimeoutMs, keyExchange } = this.#expectation
    const socket = connect({
      ...toSecureContextOptions(svid, keyExchange),
      socket: tcp,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    })
    using _deadline = this.#clock.after(handshakeTimeoutMs, () => socket.destroy(new Error('TLS handshake timed out')))
    await handshake(socket)
    const peer = verifyPeer(socket, bundles.value, new Date(this.#clock.now()), expected)
    this.refusal = peer.kind === 'refused' ? peer : undefined
    if (peer.kind === 'verified') return this.#keep(socket, peer)
    socket.destroy()
    throw new Error(`refused the server: ${peer.message}`)
  }

  #keep(socket: TLSSocket, peer: VerifiedPeer): TLSSocket {
    this.group = negotiatedGroup(socket)
    this.#live.set(socket, peer)
    socket.once('close', () => this.#live.delete(socket))
    return socket
  }
}

function handshake(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('close', () => reject(new Error('the connection closed during the handshake')))
    socket.on('error', reject) // stays, so that a later reset of the socket is never unhandled
  })
}
