import type { AuthorityInfo, AuthorityStatus, Laggard, RotationProgress } from '@picket/rpc'
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
const MOST_NAMES = 3

/** One line about where a rotation is, whom it waits for and why. */
export function describeProgress({ phase, connected, followed, laggards }: RotationProgress): string {
  const what = `${`${phase}:`.padEnd(14)}${SAID[phase] ?? 'under way'}`
  const count = connected > 0 ? ` (${followed} of ${connected})` : ''
  const sidecars = laggards.filter(({ instanceId }) => instanceId !== '')
  const others = laggards.filter(({ instanceId }) => instanceId === '')
  const unnamed = Math.max(connected - followed, sidecars.length) - Math.min(sidecars.length, MOST_NAMES)
  const names = sidecars.slice(0, MOST_NAMES).map(shortName)
  if (unnamed > 0 && names.length > 0) names.push(`and ${unnamed} more`)
  const waitsFor = [
    ...(names.length > 0 ? [`${names.join(', ')} ${sidecars.length === 1 ? 'has' : 'have'} not followed`] : []),
    ...others.map(({ spiffeId, reason }) => `${spiffeId} ${reason}`),
  ]
  return `${what}${count}${waitsFor.length > 0 ? `: ${waitsFor.join('; ')}` : ''}`
}

/** `payments 1f3a9c2e`: enough to find it in `picket status`. */
function shortName({ spiffeId, instanceId }: Laggard): string {
  const path = spiffeId.replace(/^spiffe:\/\/[^/]*\//, '')
  return `${path} ${instanceId.slice(0, 8)}`
}
