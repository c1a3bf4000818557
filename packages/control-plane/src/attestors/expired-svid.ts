import { verifyX509Svid, type BundleSource } from '@picket/identity'
import type { SignedChallenge } from '@picket/rpc'
import { formatDuration, type Clock } from '@picket/runtime'
import type { Attestation, AttestationStore } from './attestation.ts'
import { deny, type Attested, type EvidenceDenial, type EvidenceKind } from './attestor.ts'
import type { Challenges } from './challenge.ts'
import { readSignedChallenge } from './signed-challenge.ts'

export interface ExpiredSvidDeps {
  readonly clock: Pick<Clock, 'now'>
  readonly challenges: Challenges
  readonly store: Pick<AttestationStore, 'findAttestation'>
  /** The bundle and the deny-list of now. */
  readonly bundles: () => BundleSource
}

/** Evidence that can be shown again at any time, so that it has to be. */
const REPEATABLE: readonly EvidenceKind[] = ['x509-pop', 'kubernetes']

/**
 * An SVID of ours that has expired, by whoever still holds its key: a sidecar that was cut off for longer than its SVID
 * lives. It was good once, at its very end, under authorities that are trusted today; it is not on the deny-list; and it
 * expired within the window. Whoever came by evidence that can be shown again shows it again, and what that proves now is
 * what counts: a pod that is gone does not come back this way.
 */
export interface ExpiredSvids {
  attest(
    evidence: SignedChallenge,
    csr: Parameters<typeof readSignedChallenge>[2],
    fresh: Attested | undefined,
  ): Promise<Attested | EvidenceDenial>
}

export function createExpiredSvidAttestor(deps: ExpiredSvidDeps, windowMs: number): ExpiredSvids {
  return {
    async attest(evidence, csr, fresh) {
      if (windowMs === 0) return deny('expired-svid', 'evidence-not-taken', 'renewal after expiry is off')
      const proven = readSignedChallenge('expired-svid', evidence, csr, deps.challenges)
      if (proven.kind === 'denied') return proven
      const { leaf, chain } = proven
      const endMs = Math.min(...chain.map(({ notAfter }) => notAfter.getTime()))
      const sinceMs = deps.clock.now() - endMs
      if (sinceMs > windowMs) {
        const message = `the SVID expired over ${formatDuration(windowMs)} ago: attest anew`
        return deny('expired-svid', 'renewal-window', message)
      }
      const verdict = verifyX509Svid(chain, deps.bundles(), new Date(Math.min(endMs, deps.clock.now())))
      if (verdict.kind === 'refused') {
        return deny(
          'expired-svid',
          'expired-svid',
          `the expired SVID is not accepted: ${verdict.message}`,
          verdict.rule,
        )
      }
      const known = await deps.store.findAttestation(leaf.serialNumber, verdict.id.uri)
      if (!known) return deny('expired-svid', 'unknown-svid', 'this SVID is not one to renew here: attest anew')
      return renew(known, verdict.id.uri, leaf.serialNumber, fresh)
    },
  }
}

function renew(
  known: Attestation,
  spiffeId: string,
  serialNumber: string,
  fresh: Attested | undefined,
): Attested | EvidenceDenial {
  if (!REPEATABLE.includes(known.evidence)) {
    const { id: attestationId, facts } = known
    const subject = `expired SVID ${serialNumber}`
    return { kind: 'attested', evidence: 'expired-svid', facts, subject, attestationId, spiffeId }
  }
  if (fresh?.evidence !== known.evidence) {
    const message = `the SVID came from ${known.evidence} evidence: show that too`
    return deny('expired-svid', 'fresh-evidence', message)
  }
  return { ...fresh, subject: `expired SVID ${serialNumber}, ${fresh.subject}`, spiffeId }
}
