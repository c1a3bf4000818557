import type { TrustDomain } from '@picket/identity'
import type { HostPort, SealKey, Secret } from '@picket/runtime'

/** Which control plane identity, policy and endpoints come from, and what is shown to it. */
export interface ControlPlaneSource {
  readonly kind: 'control-plane'
  readonly address: HostPort
  readonly trustDomain: TrustDomain
  /** The pinned bundle that the first contact is verified with. */
  readonly trustBundleFile: string
  readonly joinToken: Secret<string> | undefined
  readonly joinTokenFile: string | undefined
  readonly state: StateConfig | undefined
  /** `port` 0: the port that inbound really listens on. Undefined: no inbound calls. */
  readonly advertise: HostPort | undefined
}

/** Where the last good state is sealed, and with what: the key itself, or the file that holds it. */
export interface StateConfig {
  readonly dir: string
  readonly sealKey: SealKey | undefined
  readonly sealKeyFile: string | undefined
}
