import { RpcError } from './rpc-error.ts'

/** Stands in the place of a request that was not the protocol-buffer message it had to be. */
export const MALFORMED = Symbol('malformed request')

/** A request as the transport hands it over. */
export type Read<Message> = Message | typeof MALFORMED

/**
 * A reader of requests that cannot throw. Left to itself the transport would answer malformed bytes on its own, before
 * the caller is checked and without a record.
 */
export function withoutThrowing<T>(deserialize: (bytes: Buffer) => T): (bytes: Buffer) => Read<T> {
  return (bytes) => {
    try {
      return deserialize(bytes)
    } catch {
      return MALFORMED
    }
  }
}

export function wellFormed<T>(request: Read<T>): T {
  if (request === MALFORMED) throw new RpcError('ERR_RPC_INVALID', 'the request is not a well-formed message')
  return request
}
