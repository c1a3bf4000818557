import { isJwtKeyAlgorithm, type KeyAlgorithm } from '@picket/identity'
import { CaError } from './error.ts'
import { EXPIRED_KEPT_MS, MAX_AUTHORITIES } from './profile.ts'

export const AUTHORITY_KINDS = ['x509', 'jwt'] as const
export type AuthorityKind = (typeof AUTHORITY_KINDS)[number]

/**
 * `prepared`: in the bundle, signs nothing yet. `active`: signs. `old`: signs no more, still trusted. There is one active
 * authority of each kind, at most one prepared, and no way back from old.
 */
export const AUTHORITY_STATES = ['prepared', 'active', 'old'] as const
export type AuthorityState = (typeof AUTHORITY_STATES)[number]

/** What is remembered of one authority, beside its key and certificate. */
export interface AuthoritySlot {
  readonly kind: AuthorityKind
  /** The subject key identifier of an X.509 authority, the `kid` of a JWT authority: hexadecimal. */
  readonly keyId: string
  readonly algorithm: KeyAlgorithm
  readonly state: AuthorityState
  /** No longer to be relied on: whoever holds an SVID by it is to renew at once. */
  readonly tainted: boolean
  readonly preparedAt: Date
  readonly activatedAt: Date | undefined
  readonly notBefore: Date
  readonly notAfter: Date
  /** Issued by an authority outside Picket, whose root the bundle holds. */
  readonly upstream: boolean
}

export const ROTATION_REASONS = ['scheduled', 'ordered', 'emergency'] as const

/** What an operator or the schedule asked for; kept on disk so that a restart goes on with it. */
export interface RotationIntent {
  readonly id: string
  readonly kinds: readonly AuthorityKind[]
  readonly algorithm: KeyAlgorithm | undefined
  readonly svidAlgorithm: KeyAlgorithm | undefined
  readonly reason: (typeof ROTATION_REASONS)[number]
  /** Taint and revoke the old ones. */
  readonly retire: boolean
  /**
   * Key identifiers of the authorities that were active when it began: a kind's turn is over when its active one is none of
   * them, whatever the clock says.
   */
  readonly replaces: readonly string[]
  readonly startedAt: Date
  readonly deadlineAt: Date | undefined
  /** The share of connected sidecars that must have the new bundle, 0 to 1. */
  readonly quorum: number
}

/** Everything that `authorities.json` says. */
export interface AuthoritySlots {
  readonly trustDomain: string
  /** The bundle's; grows with each change and never falls, not even when the clock does. */
  readonly sequence: bigint
  readonly svidAlgorithm: KeyAlgorithm
  readonly rotation: RotationIntent | undefined
  readonly authorities: readonly AuthoritySlot[]
}

export type SlotEvent =
  | { readonly kind: 'prepare'; readonly slot: AuthoritySlot }
  /** The prepared one; nothing happens when `keyId` is active already. */
  | { readonly kind: 'activate'; readonly of: AuthorityKind; readonly keyId?: string | undefined }
  | { readonly kind: 'taint'; readonly of: AuthorityKind; readonly keyId: string }
  | { readonly kind: 'revoke'; readonly of: AuthorityKind; readonly keyId: string }
  | { readonly kind: 'prune' }
  | { readonly kind: 'rotate'; readonly rotation: RotationIntent | undefined }
  | { readonly kind: 'svid-algorithm'; readonly algorithm: KeyAlgorithm }

/** A trust domain without authorities yet. */
export function emptySlots(trustDomain: string, svidAlgorithm: KeyAlgorithm): AuthoritySlots {
  return { trustDomain, sequence: 0n, svidAlgorithm, rotation: undefined, authorities: [] }
}

/**
 * The whole life of authorities as one pure function. What changes nothing gives the same object back; what may not be
 * throws `ERR_AUTHORITY_STATE`.
 */
export function next(slots: AuthoritySlots, event: SlotEvent, at: Date): AuthoritySlots {
  switch (event.kind) {
    case 'prepare':
      return prepare(slots, event.slot, at)
    case 'activate':
      return activate(slots, event.of, event.keyId, at)
    case 'taint':
      return taint(slots, event.of, event.keyId)
    case 'revoke':
      return revoke(slots, event.of, event.keyId, at)
    case 'prune':
      return prune(slots, at)
    case 'rotate':
      return { ...slots, rotation: event.rotation }
    case 'svid-algorithm':
      return event.algorithm === slots.svidAlgorithm ? slots : { ...slots, svidAlgorithm: event.algorithm }
  }
}

export function findSlot(
  { authorities }: AuthoritySlots,
  kind: AuthorityKind,
  state: 'prepared' | 'active',
): AuthoritySlot | undefined {
  return authorities.find((slot) => slot.kind === kind && slot.state === state)
}

/** The new one takes the place of one that is prepared and was never used. */
function prepare(slots: AuthoritySlots, slot: AuthoritySlot, at: Date): AuthoritySlots {
  const kept = slots.authorities.filter(({ kind, state }) => kind !== slot.kind || state !== 'prepared')
  if (kept.filter(({ kind }) => kind === slot.kind).length >= MAX_AUTHORITIES) {
    throw refusal(`there are ${MAX_AUTHORITIES} ${slot.kind} authorities: taint and revoke old ones first`)
  }
  return withBundle(slots, [...kept, slot], at)
}

function activate(slots: AuthoritySlots, kind: AuthorityKind, keyId: string | undefined, at: Date): AuthoritySlots {
  if (keyId !== undefined && findSlot(slots, kind, 'active')?.keyId === keyId) return slots
  const prepared = findSlot(slots, kind, 'prepared')
  if (!prepared || (keyId !== undefined && prepared.keyId !== keyId)) {
    throw refusal(keyId === undefined ? `no ${kind} authority is prepared` : `${kind} ${keyId} is not prepared`)
  }
  if (prepared.notAfter <= at) throw refusal(`the prepared ${kind} authority has expired: prepare another`)
  const authorities = slots.authorities.map((slot): AuthoritySlot => {
    if (slot === prepared) return { ...slot, state: 'active', activatedAt: at }
    return slot.kind === kind && slot.state === 'active' ? { ...slot, state: 'old' } : slot
  })
  return { ...slots, authorities }
}

function taint(slots: AuthoritySlots, kind: AuthorityKind, keyId: string): AuthoritySlots {
  const found = findOld(slots, kind, keyId)
  if (found.tainted) return slots
  return {
    ...slots,
    authorities: slots.authorities.map((slot) => (slot === found ? { ...slot, tainted: true } : slot)),
  }
}

function revoke(slots: AuthoritySlots, kind: AuthorityKind, keyId: string, at: Date): AuthoritySlots {
  const found = findOld(slots, kind, keyId)
  if (!found.tainted && found.notAfter > at) throw refusal(`${kind} ${keyId} is neither tainted nor expired: taint it`)
  return withBundle(
    slots,
    slots.authorities.filter((slot) => slot !== found),
    at,
  )
}

function prune(slots: AuthoritySlots, at: Date): AuthoritySlots {
  const kept = slots.authorities.filter(
    ({ state, notAfter }) => state !== 'old' || notAfter.getTime() + EXPIRED_KEPT_MS > at.getTime(),
  )
  return kept.length === slots.authorities.length ? slots : withBundle(slots, kept, at)
}

function findOld({ authorities }: AuthoritySlots, kind: AuthorityKind, keyId: string): AuthoritySlot {
  const found = authorities.find((slot) => slot.kind === kind && slot.keyId === keyId)
  if (!found) throw refusal(`there is no ${kind} authority ${keyId}`)
  if (found.state !== 'old') throw refusal(`${kind} ${keyId} is ${found.state}, not old: activate another first`)
  return found
}

/** The instant of the change, so that a folder restored from a backup does not fall behind what sidecars have seen. */
function withBundle(slots: AuthoritySlots, authorities: readonly AuthoritySlot[], at: Date): AuthoritySlots {
  const nowMs = BigInt(at.getTime())
  return { ...slots, authorities, sequence: slots.sequence >= nowMs ? slots.sequence + 1n : nowMs }
}

function refusal(problem: string): CaError {
  return new CaError('ERR_AUTHORITY_STATE', problem)
}

/** JWT-SVIDs know no signatures by Ed25519 or ML-DSA (JWT-SVID.md section 3.1). */
export function isAuthorityAlgorithm(kind: AuthorityKind, algorithm: KeyAlgorithm): boolean {
  return kind === 'x509' || isJwtKeyAlgorithm(algorithm)
}
