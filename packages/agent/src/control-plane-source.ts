import type { TrustDomain } from '@picket/identity'
import type { KeyExchangeProfile } from '@picket/mtls'
import type { HostPort, SealKey, Secret } from '@picket/runtime'

/** Which control plane identity, policy and endpoints come from, and what is shown to it. */
export interface ControlPlaneSource extends EvidenceSource {
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
  /** With the control plane; `hybrid-preferred` unless told. */
  readonly keyExchange?: KeyExchangeProfile
}

/** What proves who asks, beside a join token. The files are read anew each time. */
export interface EvidenceSource {
  /** A certificate of a PKI that the control plane trusts for it, and its key (PEM). */
  readonly x509Pop?: { readonly certificateFile: string; readonly keyFile: string } | undefined
  /** A projected service account token. */
  readonly kubernetesTokenFile?: string | undefined
}

/** Where the last good state is sealed, and with what: the key itself, or the file that holds it. */
export interface StateConfig {
  readonly dir: string
  readonly sealKey: SealKey | undefined
  readonly sealKeyFile: string | undefined
}
