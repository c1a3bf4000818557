import type { BundleSource, SpiffeId, TrustDomain } from '@picket/identity'
import type { ChallengeResponse, ExplainIdentityRequest, ExplainIdentityResponse } from '@picket/rpc'
import type { Clock, Logger, Metrics, Random } from '@picket/runtime'
import type { AttestationStore } from '../attestors/attestation.ts'
import { createChallenges } from '../attestors/challenge.ts'
import { openAttestors, type AttestorSettings } from '../attestors/open-attestors.ts'
import {
  createCertificates,
  type Certificates,
  type CertificatesDeps,
  type CertificatesOptions,
  type SvidStore,
} from './certificates.ts'
import { createDenials } from './denials.ts'
import { createEnrollment, type EnrollmentService } from './enrollment.ts'
import type { EntitlementStore } from './entitlement.ts'
import { createEntries, type Entries, type EntryStore } from './entries.ts'
import { explainIdentity } from './explanation.ts'
import { createJoinTokens, type JoinTokens, type TokenStore } from '../attestors/join-tokens.ts'

/** Who may be who: entries, evidence, and the certificates that come of both. */
export interface Registry {
  readonly entries: Entries
  readonly tokens: JoinTokens
  readonly enrollment: EnrollmentService
  readonly certificates: Certificates
  challenge(): ChallengeResponse
  explain(request: ExplainIdentityRequest): Promise<ExplainIdentityResponse>
}

export interface RegistryDeps extends Pick<CertificatesDeps, 'issuer' | 'trustBundle'> {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly store: EntryStore & EntitlementStore & AttestationStore & TokenStore & SvidStore
  readonly trustDomain: TrustDomain
  /** Bundle and deny-list as they are now. */
  readonly bundles: () => BundleSource
}

/** Throws `ERR_ATTESTOR`. */
export async function openRegistry(
  deps: RegistryDeps,
  settings: AttestorSettings,
  options: CertificatesOptions,
): Promise<Registry> {
  const { trustDomain, bundles } = deps
  const isRevoked = (id: SpiffeId): boolean => bundles().revocations?.findX509(id, []) !== undefined
  const tokens = createJoinTokens(deps)
  const challenges = createChallenges(deps)
  const denials = createDenials()
  const enrollment = createEnrollment({ ...deps, isRevoked })
  const attestors = await openAttestors({ ...deps, challenges, tokens }, settings)
  return {
    entries: createEntries(deps, trustDomain),
    tokens,
    enrollment,
    certificates: createCertificates({ ...deps, attestors, enrollment, denials }, options),
    challenge: () => challenges.create(),
    explain: (request) => explainIdentity({ ...deps, denials }, request),
  }
}
