import type { Authority, AuthorityRecord } from '@picket/ca'
import type { AffectedSidecar, AuthorityInfo, AuthorityStatus, RotationProgress, SidecarStatus } from '@picket/rpc'
import type { Watch } from '@picket/runtime'
import type { RotatingSidecar, SidecarFacts } from './rotation-facts.ts'
import type { RotationOrder } from './rotation-intent.ts'

export interface AuthorityStatusSources {
  readonly authority: Pick<Authority, 'authorities' | 'bundle' | 'svidAlgorithm'>
  readonly sidecars: { connected(): readonly RotatingSidecar[] }
  readonly facts: Pick<SidecarFacts, 'holdsAuthority'>
  readonly progress: Watch<RotationProgress | undefined>
}

const MOST_AFFECTED = 10_000

/** Everything that an operator is told about the authorities. */
export function readAuthorityStatus(
  sources: AuthorityStatusSources,
  affected: readonly AffectedSidecar[] = [],
): AuthorityStatus {
  const { authority, progress } = sources
  const connected = sources.sidecars.connected()
  return {
    authorities: authority.authorities.value.map((record) => toInfo(record, connected, sources)),
    rotation: progress.value,
    svidAlgorithm: authority.svidAlgorithm,
    bundleSequence: String(authority.bundle.value.sequence),
    affected,
  }
}

/** Whom a rotation would touch: all get the new bundle, and the holders of SVIDs of what it retires renew. */
export function affectedBy(
  { kinds }: Pick<RotationOrder, 'kinds'>,
  { authorities }: Pick<Authority, 'authorities'>,
  sidecars: readonly SidecarStatus[],
): readonly AffectedSidecar[] {
  const retiring = authorities.value.filter(({ kind, state }) => kinds.includes(kind) && state !== 'prepared')
  const keyIds = new Set(retiring.map(({ keyId }) => keyId))
  const isAffected = ({ authorityKeyIds }: SidecarStatus): boolean =>
    !kinds.includes('x509') || authorityKeyIds.length === 0 || authorityKeyIds.some((keyId) => keyIds.has(keyId))
  return sidecars
    .filter(isAffected)
    .slice(0, MOST_AFFECTED)
    .map(({ spiffeId, instanceId, service, connected, authorityKeyIds }) => {
      return { spiffeId, instanceId, service, connected, authorityKeyIds }
    })
}

function toInfo(
  record: AuthorityRecord,
  connected: readonly RotatingSidecar[],
  { facts }: Pick<AuthorityStatusSources, 'facts'>,
): AuthorityInfo {
  const { kind, keyId, algorithm, state, tainted, upstream } = record
  return {
    kind,
    keyId,
    algorithm,
    state,
    tainted,
    upstream,
    notBeforeMs: record.notBefore.getTime(),
    notAfterMs: record.notAfter.getTime(),
    preparedAtMs: record.preparedAt.getTime(),
    activatedAtMs: record.activatedAt?.getTime() ?? 0,
    holders: connected.filter(({ authorityKeyIds }) => authorityKeyIds.includes(keyId)).length,
    acknowledged: connected.filter((sidecar) => facts.holdsAuthority(sidecar.ackedRevision('trust-bundle'), keyId))
      .length,
  }
}
