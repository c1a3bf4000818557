import { close, fstatSync, openSync, write } from 'node:fs'
import { Socket } from 'node:net'
import { SidecarError } from './error.ts'
import { messageOf } from '@picket/runtime'
import type { AccessLogTarget } from './settings.ts'

/** Where access records end. One write at a time; `done` is called once, with what went wrong. */
export interface LogSink {
  write(bytes: Buffer, done: (error: Error | undefined, written: number) => void): void
  close(): void
}

/**
 * A pipe that nobody reads must not hold up the loop (as `process.stdout` would) nor a thread of the pool, so it is
 * written through the event loop; files and terminals through the pool. Throws `ERR_INPUT_FILE` when it cannot be opened.
 */
export function openLogSink(target: Exclude<AccessLogTarget, { kind: 'none' }>): LogSink {
  if (target.kind === 'file') return fileSink(openLog(target.path), true)
  const stat = fstatSync(STDOUT)
  return stat.isFIFO() || stat.isSocket() ? pipeSink(STDOUT) : fileSink(STDOUT, false)
}

const STDOUT = 1

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o640)
  } catch (cause) {
    throw new SidecarError('ERR_INPUT_FILE', `cannot open the access log: ${messageOf(cause)}`, { cause })
  }
}

export function fileSink(fd: number, owned: boolean): LogSink {
  function writeFrom(bytes: Buffer, at: number, done: (error: Error | undefined, written: number) => void): void {
    write(fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (error) return done(error, at)
      if (at + written === bytes.length) return done(undefined, bytes.length)
      writeFrom(bytes, at + written, done)
    })
  }
  return {
    write: (bytes, done) => writeFrom(bytes, 0, done),
    close: () => {
      if (owned) close(fd, () => {})
    },
  }
}

export function pipeSink(fd: number): LogSink {
  const socket = new Socket({ fd, readable: false, writable: true })
  let broken: Error | undefined
  socket.on('error', (error) => (broken = error))
  socket.unref()
  return {
    write(bytes, done) {
      if (broken) return done(broken, 0)
      let answered = false
      const answer = (error: Error | undefined): void => {
        if (answered) return
        answered = true
        socket.off('close', onClose)
        done(error, error ? 0 : bytes.length)
      }
      const onClose = (): void => answer(broken ?? new Error('the pipe is closed'))
      socket.once('close', onClose)
      socket.write(bytes, (error) => answer(error ?? undefined))
    },
    close: () => void socket.unref(),
  }
}
