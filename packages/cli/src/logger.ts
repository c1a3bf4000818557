import type { Clock, LogFields, Logger } from '@picket/runtime'
import { pino, type DestinationStream } from 'pino'

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** One JSON object a line: `level` as a word, `time` in RFC 3339, the fields, `msg`. */
export function createLogger(level: LogLevel, clock: Clock, stream: DestinationStream): Logger {
  const log = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
  const at =
    (method: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      log[method](fields, message)
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}

/** Throws with the words that would have been right. */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text)
  if (!level) throw new TypeError(`"${text}" is not a level: write ${LOG_LEVELS.join(', ')}`)
  return level
}
