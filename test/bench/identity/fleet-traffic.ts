import { once } from 'node:events'
import type { Agent } from '@picket/agent'
import { createDialer, createMtlsListener, type Dialer } from '@picket/mtls'
import { silentLogger, systemClock, type HostPort } from '@picket/runtime'

/** Calls among the fleet while it is rotated: each a new mutual TLS connection, a ping and its echo. */
export interface Traffic extends AsyncDisposable {
  readonly requests: number
  readonly failures: Readonly<Record<string, number>>
}

const SERVERS = 8
const CLIENTS = 32
const CALLS_AT_ONCE = 4
const CALL_MS = 10_000

interface Server {
  readonly agent: Agent
  readonly address: HostPort
}

export async function startTraffic(agents: readonly Agent[]): Promise<Traffic> {
  await using stack = new AsyncDisposableStack()
  const servers = await Promise.all(agents.slice(0, SERVERS).map((agent) => listen(agent, stack)))
  const dialers = agents.slice(SERVERS, SERVERS + CLIENTS).map((agent) => {
    const { svid, resources } = agent
    return stack.use(createDialer({ svid, bundles: resources.bundles, clock: systemClock }))
  })
  let over = false
  let requests = 0
  const failures: Record<string, number> = {}
  const loops = Array.from({ length: CALLS_AT_ONCE }, async (_, loop) => {
    for (let turn = loop; !over; turn++) {
      const failure = await call(dialers[turn % dialers.length]!, servers[turn % servers.length]!)
      requests += 1
      if (failure !== undefined) failures[failure] = (failures[failure] ?? 0) + 1
    }
  })
  const owned = stack.move()
  return {
    get requests() {
      return requests
    },
    failures,
    async [Symbol.asyncDispose]() {
      over = true
      await Promise.all(loops)
      await owned.disposeAsync()
    },
  }
}

async function listen(agent: Agent, stack: AsyncDisposableStack): Promise<Server> {
  const { svid, resources } = agent
  const listener = await createMtlsListener(
    { svid, bundles: resources.bundles, clock: systemClock, logger: silentLogger },
    { address: { host: '127.0.0.1', port: 0 }, clientCertificate: 'required', alpn: ['http/1.1'] },
    { connection: (socket) => void socket.pipe(socket), refused: () => {} },
  )
  stack.use(listener)
  return { agent, address: listener.address }
}

/** Undefined when the echo came. */
async function call(dialer: Dialer, { agent, address }: Server): Promise<string | undefined> {
  const socket = dialer.connect(address, agent.svid.value.id)
  const failed = once(socket, 'close').then(() => 'closed before the echo')
  socket.on('error', () => {})
  socket.setTimeout(CALL_MS, () => socket.destroy())
  try {
    const connected = await Promise.race([once(socket, 'secureConnect').then(() => undefined), failed])
    if (connected !== undefined) return connected
    const refusal = dialer.prepare(socket)
    if (refusal) return refusal.code
    const echoed = once(socket, 'data').then(() => undefined)
    socket.write('ping')
    return await Promise.race([echoed, failed])
  } catch (thrown) {
    return (thrown as Error).message
  } finally {
    socket.destroy()
  }
}
