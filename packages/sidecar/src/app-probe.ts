import { connect } from 'node:net'
import { createWatch, sleepUnlessAborted, type Clock, type HostPort, type Watch } from '@picket/runtime'

/** Whether the app takes connections, by taking one and closing it. */
export interface AppProbe {
  readonly reachable: Watch<boolean>
  /** Looks again, unless it looked less than a second ago; a look that is under way is shared. */
  probe(): Promise<boolean>
  /** Looks on and on: sooner while the app is away. */
  run(signal: AbortSignal): Promise<void>
}

const FRESH_MS = 1000
const CONNECT_TIMEOUT_MS = 1000
const AGAIN_MS = { reachable: 5000, unreachable: 500 } as const

export function createAppProbe(clock: Clock, app: HostPort): AppProbe {
  const reachable = createWatch(false)
  let lookedAtMs = -Infinity
  let looking: Promise<boolean> | undefined

  async function look(): Promise<boolean> {
    try {
      reachable.set(await takesConnections(clock, app))
      lookedAtMs = clock.monotonicMs()
      return reachable.value
    } finally {
      looking = undefined
    }
  }

  function lookOnce(): Promise<boolean> {
    return (looking ??= look())
  }

  return {
    reachable,
    probe: () => (clock.monotonicMs() - lookedAtMs < FRESH_MS ? Promise.resolve(reachable.value) : lookOnce()),
    async run(signal) {
      do {
        await lookOnce()
      } while (await sleepUnlessAborted(clock, reachable.value ? AGAIN_MS.reachable : AGAIN_MS.unreachable, signal))
    },
  }
}

function takesConnections(clock: Clock, { host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const timeout = clock.after(CONNECT_TIMEOUT_MS, () => finish(false))
    function finish(reached: boolean): void {
      timeout[Symbol.dispose]()
      socket.destroy()
      resolve(reached)
    }
    socket.once('connect', () => finish(true))
    socket.on('error', () => finish(false))
  })
}
