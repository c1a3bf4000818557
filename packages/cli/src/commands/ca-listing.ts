import type { AuthorityInfo, AuthorityStatus, RotationProgress } from '@picket/rpc'
import type { CliContext } from '../context.ts'
import type { Listing } from '../output.ts'
import { toRelative, toTimestamp } from '../time.ts'

type AuthorityItem = {
  readonly kind: string
  readonly keyId: string
  readonly algorithm: string
  readonly state: string
  readonly tainted: boolean
  readonly upstream: boolean
  readonly notBefore: string | null
  readonly notAfter: string | null
  readonly preparedAt: string | null
  readonly activatedAt: string | null
  readonly holders: number
  readonly acknowledged: number
}

/** The authorities as the control plane knows them: what each is for and who depends on it. */
export function authorityListing({ authorities }: AuthorityStatus, { clock }: CliContext): Listing<AuthorityItem> {
  return {
    kind: 'AuthorityStateList',
    items: authorities.map(toItem),
    columns: [
      ['KIND', ({ kind }) => kind],
      ['KEY ID', ({ keyId }) => keyId],
      ['KEY', ({ algorithm }) => algorithm],
      ['STATE', ({ state, tainted }) => (tainted ? `${state}, TAINTED` : state)],
      ['EXPIRES', ({ notAfter }) => toRelative(notAfter, clock)],
      ['HOLDERS', ({ kind, holders }) => (kind === 'x509' ? String(holders) : '')],
      ['KNOWN TO', ({ acknowledged }) => String(acknowledged)],
      ['UPSTREAM', ({ upstream }) => (upstream ? 'yes' : '')],
    ],
  }
}

function toItem(info: AuthorityInfo): AuthorityItem {
  const { kind, keyId, algorithm, state, tainted, upstream, holders, acknowledged } = info
  return {
    kind,
    keyId,
    algorithm,
    state,
    tainted,
    upstream,
    notBefore: toTimestamp(info.notBeforeMs),
    notAfter: toTimestamp(info.notAfterMs),
    preparedAt: toTimestamp(info.preparedAtMs),
    activatedAt: toTimestamp(info.activatedAtMs),
    holders,
    acknowledged,
  }
}

const SAID: Readonly<Record<string, string>> = {
  preparing: 'making the new authority',
  distributing: 'waiting until sidecars know the new authority',
  activating: 'the new authority signs',
  tainting: 'the old authority is tainted',
  reissuing: 'waiting until sidecars have renewed',
  revoking: 'the old authority leaves the bundle',
}
const MOST_NAMES = 5

/** One line about where a rotation is and whom it waits for. */
export function describeProgress({ phase, connected, followed, laggards }: RotationProgress): string {
  const what = `${`${phase}:`.padEnd(14)}${SAID[phase] ?? 'under way'}`
  const count = connected > 0 ? ` (${followed} of ${connected})` : ''
  if (laggards.length === 0) return `${what}${count}`
  const names = laggards.slice(0, MOST_NAMES).map(({ spiffeId, instanceId, reason }) => {
    return `${spiffeId}${instanceId === '' ? '' : ` ${instanceId}`} ${reason}`
  })
  const more = laggards.length > MOST_NAMES ? `; and ${laggards.length - MOST_NAMES} more` : ''
  return `${what}${count}: ${names.join('; ')}${more}`
}
