/** Why a sidecar is not ready. */
export type ReadinessReason =
  'no_svid' | 'svid_expired' | 'no_trust_bundle' | 'no_policy' | 'app_unreachable' | 'draining'
