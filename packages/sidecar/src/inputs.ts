import type { BundleSource, X509Svid } from '@picket/identity'
import type { PolicyEngine } from '@picket/policy'
import type { Endpoints } from '@picket/rpc'
import type { Watch } from '@picket/runtime'

/**
 * All that the data path needs to know, each as its newest good value. Two sources fill it, the control plane or files,
 * and the data path cannot tell which.
 */
export interface SidecarInputs {
  readonly svid: Watch<X509Svid>
  /** The bundle of each trust domain that peers may be of. */
  readonly bundles: Watch<BundleSource>
  /** Undefined until there is a first policy: every request is denied then. */
  readonly policy: { readonly engine: Watch<PolicyEngine | undefined> }
  readonly endpoints: Watch<Endpoints>
}
