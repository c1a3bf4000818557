import type { BundleSource, SpiffeId, X509Svid } from '@picket/identity'
import { RpcError } from '@picket/rpc'
import type { Watch } from '@picket/runtime'

/** One identity that workloads on this host may be given. */
export interface WorkloadIdentity {
  readonly svid: X509Svid
  /** What it is for, when there are several; '' = no hint. */
  readonly hint: string
  /** Those of type `unix` say which processes may have it; without one, whoever may open the socket. */
  readonly selectors: readonly string[]
  /** Names of further trust domains whose bundles its holder is given. */
  readonly federatesWith: readonly string[]
}

/** What the Workload API serves from, each as its newest good value. */
export interface WorkloadSource {
  /** The first is the default identity. */
  readonly identities: Watch<readonly WorkloadIdentity[]>
  /** The own trust domain's bundle and those of all federated ones. */
  readonly bundles: Watch<BundleSource>
  /** DER. */
  readonly crl: Watch<Buffer | undefined>
  /** Rejects with an `RpcError`. */
  issueJwt(id: SpiffeId, audience: readonly string[], signal: AbortSignal): Promise<IssuedJwtSvid>
}

export interface IssuedJwtSvid {
  readonly token: string
  readonly expiresAtMs: number
}

/** The sidecar's own SVID as the one identity, for sources that know no others. */
export function toSingleIdentity(svid: Watch<X509Svid>): Watch<readonly WorkloadIdentity[]> {
  const toIdentities = (own: X509Svid) => [{ svid: own, hint: '', selectors: [], federatesWith: [] }]
  return {
    get value() {
      return toIdentities(svid.value)
    },
    subscribe: (listener) => svid.subscribe((own) => listener(toIdentities(own))),
  }
}

/** For sources without an authority that signs tokens: the JWT profile is off (rule 57). */
export function issueNoJwt(): Promise<never> {
  return Promise.reject(new RpcError('ERR_RPC_UNIMPLEMENTED', 'JWT-SVIDs need a control plane'))
}
