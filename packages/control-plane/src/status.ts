import manifest from '../package.json' with { type: 'json' }
import type { RevocationList } from '@picket/identity'
import type { Status } from '@picket/rpc'
import type { Watch } from '@picket/runtime'
import type { EntryStore } from './registration/entries.ts'
import type { SvidStore } from './registration/certificates.ts'
import type { Issuer } from './issuer.ts'
import type { Policies } from './policies.ts'
import type { SyncHub } from './sync/sync.ts'

/** What this control plane calls itself. */
export const VERSION = manifest.version

interface StatusDeps {
  readonly issuer: Issuer
  readonly store: Pick<EntryStore, 'countEntries'> & Pick<SvidStore, 'countSvids'>
  readonly policies: Pick<Policies, 'active'>
  readonly sync: Pick<SyncHub, 'connected'>
  readonly revocations: Watch<RevocationList>
  readonly startedAtMs: number
}

/** What `picket status` shows. */
export async function readStatus({
  issuer,
  store,
  policies,
  sync,
  revocations,
  startedAtMs,
}: StatusDeps): Promise<Status> {
  const authority = issuer.authorities.value.find(({ kind, state }) => kind === 'x509' && state === 'active')
  return {
    trustDomain: issuer.trustDomain.name,
    version: VERSION,
    startedAtMs,
    authorityKeyId: authority?.keyId ?? '',
    authorityNotAfterMs: authority?.notAfter.getTime() ?? 0,
    policyRevision: policies.active.value?.revision ?? '',
    entries: await store.countEntries(),
    issuedSvids: await store.countSvids(),
    sidecarsConnected: sync.connected().length,
    svidAlgorithm: issuer.svidAlgorithm,
    revocations: revocations.value.subjects.length,
  }
}
