import { RpcError } from '@picket/rpc'
import type { WorkloadIdentity } from './workload-source.ts'

/** Who is at the other end of a connection to the Workload API. */
export interface WorkloadCaller {
  /** `unix:uid:1000` and the like, as the kernel says; empty when nobody asked it. */
  readonly facts: ReadonlySet<string>
  /** It may open the socket: identities that name no process are its own too. */
  readonly passesSocket: boolean
}

const LOCAL_SELECTOR = 'unix:'

/**
 * The identities of a caller, in their order. Selectors are ANDed; a selector of type `unix` that nobody has checked is
 * not fulfilled, so that without peer credentials such identities are nobody's.
 */
export function identitiesOf(
  identities: readonly WorkloadIdentity[],
  { facts, passesSocket }: WorkloadCaller,
): readonly WorkloadIdentity[] {
  const given = new Set<string>()
  return identities.filter(({ svid, selectors }) => {
    const local = selectors.filter((selector) => selector.startsWith(LOCAL_SELECTOR))
    const fits = local.length === 0 ? passesSocket : local.every((selector) => facts.has(selector))
    if (!fits || given.has(svid.id.uri)) return false // two entries may give a process the same identity: once is enough
    given.add(svid.id.uri)
    return true
  })
}

/** Rule 63. */
export function noIdentity(): RpcError {
  return new RpcError('ERR_RPC_DENIED', 'no identity issued: no entry of this sidecar fits the calling process')
}
