import {
  codeOf,
  formatHostPort,
  messageOf,
  sleepUnlessAborted,
  watchUntil,
  type Clock,
  type HostPort,
  type Logger,
  type Watch,
} from '@picket/runtime'
import type { SvidLife } from './svid-life.ts'

/** A listener and the connections that came through it. Disposal ends what is left at once. */
export interface TrafficListener extends AsyncDisposable {
  /** As bound: a port that was 0 is filled in. */
  readonly address: HostPort
  /** Stops accepting; resolves with the number of exchanges that were still going on when `deadline` aborted. */
  drain(deadline: AbortSignal): Promise<number>
}

/** The inbound listener, open only while the own SVID is valid: who cannot prove to be the service does not answer for it. */
export interface InboundGate {
  readonly address: HostPort
  /** Closes at expiry, with every connection; opens at the same address when there is a valid SVID again. */
  run(signal: AbortSignal): Promise<void>
  /** Ends for good, after `run`: stops accepting, drains, closes. */
  close(deadline: AbortSignal): Promise<void>
}

const REOPEN_MS = 1000

export interface InboundGateDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly life: Watch<SvidLife>
  readonly open: (listen: HostPort) => Promise<TrafficListener>
}

/** Opens, so that a port in use shows at once; throws what `open` throws. */
export async function openInboundGate(
  { clock, logger, life, open }: InboundGateDeps,
  listen: HostPort,
): Promise<InboundGate> {
  let listener: TrafficListener | undefined = await open(listen)
  const { address } = listener
  const again = { host: listen.host, port: address.port }

  async function follow(expired: boolean): Promise<boolean> {
    if (expired && listener) {
      logger.error('inbound is closed until there is a valid svid', { address: formatHostPort(address) })
      await listener[Symbol.asyncDispose]()
      listener = undefined
    }
    if (expired || listener) return true
    try {
      listener = await open(again)
      logger.info('inbound is open again', { address: formatHostPort(address) })
      return true
    } catch (thrown) {
      logger.error('inbound cannot be opened again', { code: codeOf(thrown), error: messageOf(thrown) })
      return false
    }
  }

  if (life.value === 'expired') await follow(true)
  return {
    address,
    async run(signal) {
      while (!signal.aborted) {
        const expired = life.value === 'expired'
        if (await follow(expired)) await untilChanged(life, expired, signal)
        else await sleepUnlessAborted(clock, REOPEN_MS, signal)
      }
    },
    async close(deadline) {
      const left = (await listener?.drain(deadline)) ?? 0
      if (left > 0) logger.warn('inbound exchanges were cut off at the drain deadline', { left })
      await listener?.[Symbol.asyncDispose]()
      listener = undefined
    },
  }
}

async function untilChanged(life: Watch<SvidLife>, expired: boolean, signal: AbortSignal): Promise<void> {
  try {
    await watchUntil(life, (stage): stage is SvidLife => (stage === 'expired') !== expired, signal)
  } catch (thrown) {
    if (!signal.aborted) throw thrown
  }
}
