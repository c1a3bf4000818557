import net, { type AddressInfo, type Socket } from 'node:net'
import type { RequestHead } from './request-head.ts'
import { parseRequestHead } from './scanned-request-head.ts'

/** A parsed request head from its parts, for tests of whoever reads heads. Throws when the parts do not make a valid one. */
export function requestHeadOf(parts: {
  readonly method?: string
  readonly target?: string
  readonly version?: '1.0' | '1.1'
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}): RequestHead {
  const { method = 'GET', target = '/', version = '1.1', headers = {} } = parts
  const fields = Object.entries({ host: 'ledger.mesh', ...headers }).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  )
  const head = parseRequestHead(Buffer.from(`${method} ${target} HTTP/${version}\r\n${fields.join('')}\r\n`, 'latin1'))
  if (head === undefined || 'kind' in head) throw new Error(`not a valid head: ${head?.message ?? 'incomplete'}`)
  return head
}

export interface ListeningServer extends AsyncDisposable {
  readonly port: number
  readonly sockets: ReadonlySet<Socket>
}

/** A TCP server on a free loopback port whose sockets are destroyed with it. */
export async function listen(onSocket: (socket: Socket) => void): Promise<ListeningServer> {
  const sockets = new Set<Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => void server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** A client that writes bytes as told and remembers what came back. */
export class RawClient implements Disposable {
  readonly socket: Socket
  readonly #pieces: Buffer[] = []
  readonly #wakers = new Set<() => void>()
  isEnded = false
  isClosed = false
  error: Error | undefined

  constructor(port: number, options: { readonly allowHalfOpen?: boolean } = {}) {
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: options.allowHalfOpen ?? true, noDelay: true })
    this.socket.on('data', (piece) => this.#note(() => this.#pieces.push(piece)))
    this.socket.on('end', () => this.#note(() => (this.isEnded = true)))
    this.socket.on('close', () => this.#note(() => (this.isClosed = true)))
    this.socket.on('error', (error) => this.#note(() => (this.error = error)))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  send(text: string | Buffer): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
    return this
  }

  /** Resolves with everything received once `isEnough` holds of it; rejects after `withinMs`. */
  async until(isEnough: (text: string, client: this) => boolean, withinMs = 15_000): Promise<string> {
    const deadline = performance.now() + withinMs
    while (!isEnough(this.text, this)) {
      if (performance.now() > deadline)
        throw new Error(`still waiting; received ${JSON.stringify(this.text.slice(-500))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, 50)
        const wakers = this.#wakers
        wakers.add(wake)
        function wake(): void {
          clearTimeout(timer)
          wakers.delete(wake)
          resolve()
        }
      })
    }
    return this.text
  }

  /** Everything until the other side ends or resets. */
  untilEnd(withinMs?: number): Promise<string> {
    return this.until((_, client) => client.isEnded || client.isClosed, withinMs)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #note(change: () => void): void {
    change()
    for (const wake of this.#wakers) wake()
  }
}
