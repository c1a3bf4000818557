import { CaError, type CaErrorCode } from '@picket/ca'
import { RpcError, type RpcErrorCode } from '@picket/rpc'
import { ControlPlaneError, type ControlPlaneErrorCode } from './error.ts'

/** How our own failures look on the wire. Those that are nobody's business but the operator's stay INTERNAL. */
const CONTROL_PLANE = {
  ERR_DATABASE_CORRUPT: 'ERR_RPC_INTERNAL',
  ERR_DATABASE_BUSY: 'ERR_RPC_UNAVAILABLE',
  ERR_DATABASE_MIGRATION: 'ERR_RPC_INTERNAL',
  ERR_DATABASE_WRITE: 'ERR_RPC_UNAVAILABLE',
  ERR_SEAL_KEY_MISSING: 'ERR_RPC_INTERNAL',
  ERR_PORT_IN_USE: 'ERR_RPC_INTERNAL',
  ERR_LISTEN: 'ERR_RPC_INTERNAL',
  ERR_ENTRY_INVALID: 'ERR_RPC_INVALID',
  ERR_ENTRY_DUPLICATE: 'ERR_RPC_CONFLICT',
  ERR_ENTRY_MISSING: 'ERR_RPC_NOT_FOUND',
  ERR_ENTRIES_CHANGED: 'ERR_RPC_CONFLICT',
  ERR_SERVICE_TAKEN: 'ERR_RPC_CONFLICT',
  ERR_ATTESTOR: 'ERR_RPC_UNAVAILABLE',
  ERR_PAGE: 'ERR_RPC_INVALID',
  ERR_TOKEN_INVALID: 'ERR_RPC_INVALID',
  ERR_POLICY_CONFLICT: 'ERR_RPC_CONFLICT',
  ERR_RELATIONSHIP_INVALID: 'ERR_RPC_INVALID',
  ERR_RELATIONSHIP_MISSING: 'ERR_RPC_NOT_FOUND',
  ERR_BUNDLE_ENDPOINT: 'ERR_RPC_INTERNAL',
  ERR_REVOCATION_INVALID: 'ERR_RPC_INVALID',
  ERR_REVOCATION_REFUSED: 'ERR_RPC_PRECONDITION',
  ERR_REVOCATION_MISSING: 'ERR_RPC_NOT_FOUND',
  ERR_ROTATION_INVALID: 'ERR_RPC_INVALID',
  ERR_ROTATION_UNDER_WAY: 'ERR_RPC_PRECONDITION',
  ERR_ROTATION_LAGGARDS: 'ERR_RPC_PRECONDITION',
  ERR_ADVERTISE: 'ERR_RPC_INVALID',
} as const satisfies Record<ControlPlaneErrorCode, RpcErrorCode>

const AUTHORITY = {
  ERR_AUTHORITY_EXISTS: 'ERR_RPC_INTERNAL',
  ERR_AUTHORITY_MISSING: 'ERR_RPC_INTERNAL',
  ERR_AUTHORITY_FILES: 'ERR_RPC_INTERNAL',
  ERR_AUTHORITY_EXPIRED: 'ERR_RPC_UNAVAILABLE',
  ERR_AUTHORITY_STATE: 'ERR_RPC_CONFLICT',
  ERR_AUTHORITY_IN_USE: 'ERR_RPC_INTERNAL',
  ERR_UPSTREAM: 'ERR_RPC_UNAVAILABLE',
  ERR_ISSUE_REQUEST: 'ERR_RPC_INVALID',
  ERR_LINT: 'ERR_RPC_INTERNAL',
  ERR_JOURNAL: 'ERR_RPC_UNAVAILABLE',
} as const satisfies Record<CaErrorCode, RpcErrorCode>

/** `work`, with our own errors in the wire's terms; whatever else it throws passes and becomes INTERNAL at the edge. */
export async function answer<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw toRpcError(thrown)
  }
}

export function toRpcError(thrown: unknown): unknown {
  if (thrown instanceof ControlPlaneError) return translate(CONTROL_PLANE[thrown.code], thrown)
  if (thrown instanceof CaError) return translate(AUTHORITY[thrown.code], thrown)
  return thrown
}

function translate(code: RpcErrorCode, error: ControlPlaneError | CaError): unknown {
  return code === 'ERR_RPC_INTERNAL' ? error : new RpcError(code, error.message, { cause: error, reason: error.code })
}
