import { parseHostPort, type HostPort } from '@picket/runtime'
import { RpcError } from './rpc-error.ts'

/**
 * The two resources that are Picket's own JSON: which services there are, and how this sidecar's service is called. A
 * reader ignores members that it does not know, so that later control planes may add some; what it knows is checked.
 */
export interface ServiceEndpoints {
  /** The name in `NAME.mesh`. */
  readonly name: string
  readonly spiffeId: string
  readonly addresses: readonly HostPort[]
}

export interface Endpoints {
  readonly services: readonly ServiceEndpoints[]
}

export interface ServiceConfig {
  readonly service: { readonly name: string }
}

export function encodeEndpoints(endpoints: Endpoints): Buffer {
  return Buffer.from(JSON.stringify(endpoints))
}
/** Throws `ERR_RPC_INVALID`. */
export function parseEndpoints(bytes: Uint8Array): Endpoints {
  throw new RpcError('ERR_RPC_INVALID', `unwritten ${bytes.length} ${parseHostPort.name}`)
}
export function encodeServiceConfig(config: ServiceConfig): Buffer {
  return Buffer.from(JSON.stringify(config))
}
/** Throws `ERR_RPC_INVALID`. */
export function parseServiceConfig(bytes: Uint8Array): ServiceConfig {
  throw new RpcError('ERR_RPC_INVALID', `unwritten ${bytes.length}`)
}
