import { constants } from 'node:os'
import type { CliContext } from './context.ts'

/** Aborted by the first SIGINT or SIGTERM; the second one ends the process at once, drained or not. */
export interface Shutdown extends Disposable {
  readonly signal: AbortSignal
  /** 128 + n of the signal that came, as shells tell it; 0 before. */
  readonly exitCode: number
}

export function listenForShutdown(
  { signals }: CliContext,
  exit = (code: number): void => process.exit(code),
): Shutdown {
  const controller = new AbortController()
  let exitCode = 0
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return exit(128 + constants.signals[name])
    exitCode = 128 + constants.signals[name]
    controller.abort(new Error(`stopped by ${name}`))
  }
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => signals.on(name, onSignal))
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    [Symbol.dispose]: () => listeners.forEach((listener) => listener[Symbol.dispose]()),
  }
}
