import { codeOf, flagOf, formatHostPort, messageOf, type HostPort } from '@picket/runtime'
import { SidecarError } from './error.ts'
import type { SidecarSettings } from './settings.ts'

const IN_USE = new Set(['EADDRINUSE', 'ERR_PORT_IN_USE'])

/** Why a listener did not start, with the setting to change: `ERR_PORT_IN_USE` or `ERR_LISTEN`. */
export function toListenError(setting: keyof SidecarSettings, address: HostPort, cause: unknown): SidecarError {
  const where = `${setting}: ${formatHostPort(address)}`
  if (IN_USE.has(codeOf(cause) ?? '')) {
    const message = `${where} is in use by another process: choose another port with --${flagOf(setting)}`
    return new SidecarError('ERR_PORT_IN_USE', message, { cause, retryable: true })
  }
  return new SidecarError('ERR_LISTEN', `${where} cannot be listened on: ${messageOf(cause)}`, { cause })
}
