import { createServer } from 'node:net'
import { codeOf, flagOf, formatHostPort, messageOf, type HostPort } from '@picket/runtime'
import { SidecarError } from './error.ts'
import type { SidecarSettings } from './settings.ts'

/** A listener's address and the setting that it came from. */
export interface Listening {
  readonly setting: keyof SidecarSettings
  readonly address: HostPort
}

/**
 * Takes the address for a moment and lets go of it: a port in use shows before a join token is spent on a sidecar that
 * cannot serve. Throws what `toListenError` makes.
 */
export function tryListening({ setting, address }: Listening): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (cause) => reject(toListenError({ setting, address }, cause)))
    server.listen(address, () => server.close(() => resolve()))
  })
}

const IN_USE = new Set(['EADDRINUSE', 'ERR_PORT_IN_USE'])

/** Why a listener did not start, with the setting to change: `ERR_PORT_IN_USE` or `ERR_LISTEN`. */
export function toListenError({ setting, address }: Listening, cause: unknown): SidecarError {
  const where = `${setting}: ${formatHostPort(address)}`
  if (IN_USE.has(codeOf(cause) ?? '')) {
    const message = `${where} is in use by another process: choose another port with --${flagOf(setting)}`
    return new SidecarError('ERR_PORT_IN_USE', message, { cause, retryable: true })
  }
  return new SidecarError('ERR_LISTEN', `${where} cannot be listened on: ${messageOf(cause)}`, { cause })
}

/** `start`'s listener, with the setting in the error when it cannot listen. */
export async function listenFor<T>(listening: Listening, start: (address: HostPort) => Promise<T>): Promise<T> {
  try {
    return await start(listening.address)
  } catch (thrown) {
    if (LISTEN_CODES.test(codeOf(thrown) ?? '')) throw toListenError(listening, thrown)
    throw thrown
  }
}

const LISTEN_CODES = /^(?:E[A-Z]+|ERR_PORT_IN_USE|ERR_LISTEN)$/
