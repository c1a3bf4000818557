import type { SvidStore } from '../registration/certificates.ts'
import type { EndpointStore } from '../sync/endpoints.ts'
import type { AttestationStore } from '../attestors/attestation.ts'
import type { EntitlementStore } from '../registration/entitlement.ts'
import type { EntryStore } from '../registration/entries.ts'
import type { RelationshipStore } from '../federation/federation-member.ts'
import type { TokenStore } from '../attestors/join-tokens.ts'
import type { PolicyRevisionStore } from '../policies.ts'
import type { RevocationStore } from '../revocation/revocations.ts'

/**
 * What the control plane keeps. Each part is declared by the module that needs it. Answers are promises, so that a
 * database over a network can stand in this place; each method is one transaction.
 */
export interface Store
  extends
    EntryStore,
    EntitlementStore,
    TokenStore,
    AttestationStore,
    SvidStore,
    PolicyRevisionStore,
    EndpointStore,
    RelationshipStore,
    RevocationStore,
    AsyncDisposable {
  /** Forgets tokens and SVIDs that ended before `beforeMs`, and attestations that nothing hangs on any more. */
  prune(beforeMs: number): Promise<void>
}
