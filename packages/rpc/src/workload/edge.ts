import type { Metadata } from '@grpc/grpc-js'
import { codeOf, messageOf, type Clock, type Logger } from '@picket/runtime'
import { createTokenBucket, type TokenBucket } from '../limits.ts'
import { RpcError } from '../rpc-error.ts'
import { encodeStatus } from '../status.ts'
import type { WorkloadConnection, WorkloadConnections } from './connections.ts'
import { WORKLOAD_LIMITS } from './limits.ts'

/** What every call of a workload passes before its handler, and where its failure becomes one status and one record. */
export interface WorkloadEdge<Caller> {
  readonly clock: Clock
  readonly logger: Logger
  readonly connections: WorkloadConnections<Caller>
  /** Over all connections. */
  readonly rate: TokenBucket
  /** Ends the open streams when the server stops. */
  readonly streams: Set<(error: RpcError) => void>
}

export interface WorkloadCall {
  readonly metadata: Metadata
  getPeer(): string
}

export function createWorkloadEdge<Caller>(
  deps: { readonly clock: Clock; readonly logger: Logger },
  connections: WorkloadConnections<Caller>,
): WorkloadEdge<Caller> {
  const { clock, logger } = deps
  return { clock, logger, connections, rate: createTokenBucket(WORKLOAD_LIMITS.calls, clock), streams: new Set() }
}

/**
 * The SPIFFE Workload Endpoint's security header (rule 52): a page in a browser, or a proxy that is talked into a request,
 * cannot add it. It is looked at before anything else, also before anybody is asked who calls.
 */
export function checkSecurityHeader(metadata: Metadata): void {
  const values = metadata.get('workload.spiffe.io')
  if (values.length === 1 && values[0] === 'true') return
  throw new RpcError('ERR_RPC_INVALID', 'the security header is missing: send the metadata "workload.spiffe.io: true"')
}

/** Who calls, unless it calls too often: `ERR_RPC_UNAVAILABLE`, which clients answer with a pause. */
export function admitWorkload<Caller>(edge: WorkloadEdge<Caller>, call: WorkloadCall): Promise<Caller> {
  const connection: WorkloadConnection<Caller> | undefined = edge.connections.find(call.getPeer())
  if (!connection) throw new RpcError('ERR_RPC_CANCELLED', 'the connection is closed')
  if (!connection.rate.take() || !edge.rate.take()) {
    throw new RpcError('ERR_RPC_UNAVAILABLE', 'too many calls: try again later')
  }
  return connection.caller()
}

/** One record and the status for the wire. */
export function refuseWorkload<Caller>(
  { logger }: WorkloadEdge<Caller>,
  method: string,
  call: WorkloadCall,
  thrown: unknown,
): ReturnType<typeof encodeStatus> {
  const fields = { method, connection: call.getPeer(), error: messageOf(thrown), code: codeOf(thrown) }
  if (thrown instanceof RpcError) logger.info('workload call refused', fields)
  else logger.error('workload call failed', fields)
  return encodeStatus(thrown)
}
