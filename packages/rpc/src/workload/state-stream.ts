import { RpcError } from '../rpc-error.ts'
import type { Standing } from './handlers.ts'

/** The sending half of a call, of messages that are encoded already. */
export interface StateCall {
  write(bytes: Buffer, written: () => void): boolean
  readonly writableLength: number
  end(): void
  once(event: 'cancelled' | 'close', listener: () => void): unknown
}

export interface StateStreamOptions<State> {
  readonly state: Standing<State>
  /** The message for a state; undefined: nothing to say. */
  readonly encode: (state: State) => Buffer | undefined
  /** Ends the call with the status of what went wrong, and records it. */
  readonly fail: (thrown: unknown) => void
  readonly streams: Set<(error: RpcError) => void>
}

export interface StateStream {
  /** Looks again, for streams on which also the other end changes what is sent. */
  refresh(): void
  end(error?: Error): void
}

/**
 * Follows a state on a call: the present one at once, then each change. A message is the full state, so that a reader that
 * is slow misses the ones in between and nothing else: never more than one message waits for it.
 */
export function followState<State>(call: StateCall, options: StateStreamOptions<State>): StateStream {
  const { state, encode, fail, streams } = options
  let open = true
  let late = false

  function end(error?: Error): void {
    if (!open) return
    open = false
    subscription[Symbol.dispose]()
    streams.delete(end)
    if (error) fail(error)
    else call.end()
  }

  function send(): void {
    if (!open) return
    if (call.writableLength > 0) {
      late = true
      return
    }
    try {
      const standing = state.value
      if (standing instanceof RpcError) return end(standing)
      const bytes = encode(standing)
      if (bytes) call.write(bytes, written)
    } catch (thrown) {
      end(thrown as Error)
    }
  }

  function written(): void {
    if (!late) return
    late = false
    send()
  }

  const subscription = state.subscribe(send)
  streams.add(end)
  call.once('cancelled', () => end())
  call.once('close', () => end())
  send()
  return { refresh: send, end }
}

/** An encoder that says nothing twice. */
export function onlyChanges<State>(encode: (state: State) => Buffer): (state: State) => Buffer | undefined {
  let last: Buffer | undefined
  return (state) => {
    const bytes = encode(state)
    if (last?.equals(bytes)) return undefined
    last = bytes
    return bytes
  }
}
