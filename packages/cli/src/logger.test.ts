import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { createLogger, parseLogLevel } from './logger.ts'

function record(level: 'error' | 'warn' | 'info' | 'debug') {
  const lines: unknown[] = []
  const clock = new FakeClock('2026-03-01T12:00:00Z')
  return { lines, logger: createLogger(level, clock, { write: (line: string) => void lines.push(JSON.parse(line)) }) }
}

test('a record is one JSON object with level, time, fields and message', () => {
  const { lines, logger } = record('info')
  logger.info('listening', {
    port: 7443,
    notAfter: new Date(0),
    size: 2n ** 40n,
    reasons: ['no_policy'],
    none: undefined,
  })
  assert.deepEqual(lines, [
    {
      level: 'info',
      time: '2026-03-01T12:00:00.000Z',
      port: 7443,
      notAfter: '1970-01-01T00:00:00.000Z',
      size: 2 ** 40,
      reasons: ['no_policy'],
      msg: 'listening',
    },
  ])
})

test('what is below the level is not written', () => {
  const { lines, logger } = record('warn')
  logger.debug('d')
  logger.info('i')
  logger.warn('w')
  logger.error('e')
  assert.deepEqual(
    lines.map((line) => (line as { msg: string }).msg),
    ['w', 'e'],
  )
})

test('levels are words', () => {
  assert.equal(parseLogLevel('debug'), 'debug')
  for (const text of ['', 'INFO', 'trace', 'silent', '30']) assert.throws(() => parseLogLevel(text), TypeError)
})
