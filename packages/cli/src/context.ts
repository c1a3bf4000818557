import { systemClock, systemRandom, type Clock, type Random } from '@picket/runtime'

/** What a command may touch of the process around it; tests give their own. */
export interface CliContext {
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signals: SignalSource
  readonly clock: Clock
  readonly random: Random
  /** What the process will end with when the command does not throw. */
  exitCode: number
}

export interface TextSink {
  write(text: string): void
  /** Columns of a terminal, undefined when the text goes to a file or a pipe. */
  readonly columns: number | undefined
}

/** The process's signals: somebody who listens replaces the default action, which is to end. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): Disposable
}

export const systemContext: CliContext = {
  // Looked up when it is read: merely touching it keeps a terminal open.
  get stdin() {
    return process.stdin
  },
  stdout: sinkOf(process.stdout),
  stderr: sinkOf(process.stderr),
  environment: process.env,
  signals: {
    on(signal, listener) {
      process.on(signal, listener)
      return { [Symbol.dispose]: () => void process.off(signal, listener) }
    },
  },
  clock: systemClock,
  random: systemRandom,
  exitCode: 0,
}

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  return {
    write: (text) => void stream.write(text),
    get columns() {
      return stream.isTTY ? stream.columns : undefined
    },
  }
}
