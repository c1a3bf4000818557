import { connect } from 'node:net'
import { freeAddresses } from '@picket/demo'

/** Loopback ports that were free a moment ago, all different. For programs that cannot be told to choose themselves. */
export async function freePorts(count: number): Promise<number[]> {
  return (await freeAddresses(count)).map(({ port }) => port)
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}

/** Resolves when something accepts connections on the loopback port; rejects after `timeoutMs`. */
export async function untilListening(port: number, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await accepts(port))) {
    if (performance.now() > deadline) throw new Error(`nothing listens on 127.0.0.1:${port} after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
