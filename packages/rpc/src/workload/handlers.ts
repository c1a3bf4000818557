import type { RpcError } from '../rpc-error.ts'
import type {
  JwtBundleState,
  JwtSvidEntry,
  JwtSvidRequest,
  SecretState,
  ValidatedJwtSvid,
  ValidateJwtSvidRequest,
  X509BundleState,
  X509SvidState,
} from './messages.ts'

/** What stands for one caller, now and after each change: a state, or why there is none for it. */
export interface Standing<State> {
  readonly value: State | RpcError
  subscribe(changed: () => void): Disposable
}

/**
 * What a sidecar answers to the workloads on its host. `Caller` is whoever `WorkloadServer.serve` was told of. A stream
 * follows what stands: each new value is one message of full state, an `RpcError` ends it. The other calls refuse with
 * an `RpcError`; anything else that they throw becomes INTERNAL without its text.
 */
export interface WorkloadHandlers<Caller> {
  x509Svids(caller: Caller): Standing<X509SvidState>
  x509Bundles(caller: Caller): Standing<X509BundleState>
  jwtBundles(caller: Caller): Standing<JwtBundleState>
  fetchJwtSvids(request: JwtSvidRequest, caller: Caller, signal: AbortSignal): Promise<readonly JwtSvidEntry[]>
  validateJwtSvid(request: ValidateJwtSvidRequest, caller: Caller): Promise<ValidatedJwtSvid>
  secrets(caller: Caller): Standing<SecretState>
}
