import type { OnReadOpts, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { codeOf, messageOf } from '@picket/runtime'
import type { ExchangeFlag } from './exchange-flag.ts'

/** Whoever has, or waits for, an upstream connection. Nothing is told any more after `upstreamClosed` or `release`. */
export interface UpstreamUser {
  /** True when a connection that has served before will not do. */
  readonly wantsFresh: boolean
  /** The connection is this user's until released. Its first bytes are written now. */
  upstreamReady(connection: UpstreamConnection): void
  /** No connection could be had. */
  upstreamUnavailable(flag: ExchangeFlag, detail: string): void
  /** Bytes `[from, to)` arrived. `isShared`: the memory is reused as soon as this returns. */
  upstreamBytes(bytes: Buffer, from: number, to: number, isShared: boolean): void
  /** The stream takes more again after a write that returned false. */
  upstreamDrained(): void
  /** The connection is gone; `isClean` when the upstream ended it in order. */
  upstreamClosed(isClean: boolean, detail: string): void
}

/** What a connection tells its pool. */
export interface UpstreamConnectionOwner {
  connectionReady(connection: UpstreamConnection): void
  connectionClosed(connection: UpstreamConnection, isClean: boolean, detail: string): void
}

/** Reads of all upstream sockets of the process: each is used up before the next one starts. */
const SHARED_READ = Buffer.allocUnsafeSlow(65_536)

/** One socket to the upstream. Its listeners are attached once, from before it is connected until it is closed. */
export class UpstreamConnection {
  readonly socket: Socket | TLSSocket
  user: UpstreamUser | undefined
  state: 'connecting' | 'idle' | 'busy' | 'closed' = 'connecting'
  /** While connecting or idle: when to give up on it. */
  deadlineMs = Infinity
  /** Exchanges served so far. */
  served = 0
  /** True when the last write was refused as a whole (EPIPE): the upstream cannot have read all of it. */
  writeFailed = false
  readonly #owner: UpstreamConnectionOwner

  constructor(
    owner: UpstreamConnectionOwner,
    connect: (read: { readonly onread: OnReadOpts }) => Socket | TLSSocket,
    readyEvent: 'connect' | 'secureConnect',
  ) {
    this.#owner = owner
    const onread = { buffer: SHARED_READ, callback: (length: number) => this.#receive(SHARED_READ, length, true) }
    const socket = (this.socket = connect({ onread }))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#close(false, 'closed'))
    socket.on('end', () => this.#close(true, 'ended by the upstream'))
    socket.on('drain', () => this.user?.upstreamDrained())
    socket.on('data', (bytes: Buffer) => void this.#receive(bytes, bytes.length, false))
    socket.once(readyEvent, () => this.#owner.connectionReady(this))
    socket.setNoDelay(true)
  }

  get isReused(): boolean {
    return this.served > 0
  }

  /** Tells nobody: for owners that know. */
  destroy(): void {
    this.state = 'closed'
    this.user = undefined
    this.socket.destroy()
  }

  #receive(bytes: Buffer, length: number, isShared: boolean): boolean {
    if (this.user !== undefined && this.state === 'busy') this.user.upstreamBytes(bytes, 0, length, isShared)
    else this.#close(false, 'unexpected bytes on an idle connection')
    return true
  }

  #fail(error: Error): void {
    this.writeFailed = codeOf(error) === 'EPIPE'
    this.#close(false, codeOf(error) ?? messageOf(error))
  }

  #close(isClean: boolean, detail: string): void {
    if (this.state === 'closed') return
    this.#owner.connectionClosed(this, isClean, detail)
    this.destroy()
  }
}
