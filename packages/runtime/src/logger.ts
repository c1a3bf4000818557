/** Values that may stand in a log field. Keys, tokens, PEM and bodies have types of their own that redact themselves. */
export type LogValue = string | number | boolean | bigint | null | undefined | Date | readonly string[]

export type LogFields = Readonly<Record<string, LogValue>>

/**
 * The log, passed in. The message is a constant string, the facts are fields. `error` = someone must act, `warn` =
 * degraded but serving, `info` = lifecycle, `debug` = per connection.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
}

export const silentLogger: Logger = { error() {}, warn() {}, info() {}, debug() {} }

/** A secret that shows itself only to `reveal`: printing, JSON and inspection give `[redacted]`. */
export class Secret<T> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  /** The secret itself; call it where it is used, and do not keep the result. */
  reveal(): T {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]'
  }
}
