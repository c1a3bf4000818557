import {
  createBundleSource,
  createRevocationList,
  IdentityError,
  parseRevocationSubject,
  verifyX509Svid,
  type RevocationSubject,
  type X509Svid,
} from '@picket/identity'
import { MOST_REVOCATIONS, type Caller, type Revocation, type RevocationHandlers } from '@picket/rpc'
import type { Clock, Logger, Watch } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import type { Issuer } from '../issuer.ts'
import type { Revocations, StoredRevocation } from './revocations.ts'
import { answer } from '../rpc-answer.ts'

interface RevocationCallDeps {
  readonly revocations: Revocations
  readonly issuer: Pick<Issuer, 'authorities' | 'bundle'>
  readonly sidecars: { connected(): readonly { ackedRevision(kind: 'revocations'): string }[] }
  /** Picket's own: of the control plane, of the operator. */
  readonly own: readonly Watch<X509Svid>[]
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

const PAGE = { usual: 500, largest: 1000 } as const
const MOST_REASON_CHARACTERS = 1024
/** A list that no sidecar takes any more would be enforced nowhere: the keys that emergencies deny find room too. */
const MOST_ORDERED = MOST_REVOCATIONS - 1000

/** The operator's calls about the deny-list. */
export function createRevocationCalls(deps: RevocationCallDeps): RevocationHandlers {
  const { revocations, logger } = deps

  function toMessages(stored: readonly StoredRevocation[]): readonly Revocation[] {
    const { length: connected } = deps.sidecars.connected()
    const holders = countBy(deps.sidecars.connected(), (sidecar) => sidecar.ackedRevision('revocations'))
    return stored.map(({ subject, reason, createdAtMs, createdBy, expiresAtMs }) => {
      let acknowledged = 0
      for (const [revision, number] of holders) if (revocations.isIn(revision, subject)) acknowledged += number
      return { ...subject, reason, createdAtMs, createdBy, expiresAtMs, acknowledged, connected }
    })
  }

  return {
    create: ({ kind, value, reason, expiresAtMs }, caller) =>
      answer(
        (async () => {
          const subject = parseSubject(kind, value)
          checkReason(reason)
          const nowMs = deps.clock.now()
          if (expiresAtMs !== 0 && expiresAtMs <= nowMs) throw invalid('it would have expired already')
          if (revocations.all().length >= MOST_ORDERED) throw invalid(`there are ${MOST_ORDERED} already`)
          const wayOut = refusalOf(subject, deps)
          if (wayOut !== undefined) throw new ControlPlaneError('ERR_REVOCATION_REFUSED', wayOut)
          const revocation = { subject, reason, createdAtMs: nowMs, createdBy: nameOf(caller), expiresAtMs }
          await revocations.add(revocation)
          logger.warn('revoked', { ...subject, reason, by: nameOf(caller) })
          return toMessages([revocation])[0]!
        })(),
      ),
    delete: ({ kind, value }, caller) =>
      answer(
        (async () => {
          const subject = parseSubject(kind, value)
          const removed = await revocations.remove(subject)
          if (!removed) throw new ControlPlaneError('ERR_REVOCATION_MISSING', 'it is not on the deny-list')
          logger.warn('revocation taken back', { ...subject, by: nameOf(caller) })
          return toMessages([removed])[0]!
        })(),
      ),
    list: ({ pageSize, pageToken }) =>
      answer(
        Promise.try(() => {
          const all = revocations.all()
          const from = parsePageToken(pageToken)
          const to = from + Math.min(pageSize || PAGE.usual, PAGE.largest)
          const nextPageToken = to < all.length ? String(to) : ''
          return { revocations: toMessages(all.slice(from, to)), nextPageToken }
        }),
      ),
  }
}

/** Why this may not be revoked, with the way out: nobody could take it back any more, or nothing would work. */
function refusalOf(subject: RevocationSubject, { issuer, own, clock }: RevocationCallDeps): string | undefined {
  const emergency = 'to replace a compromised authority: picket ca rotate --emergency'
  const keyId = subject.kind === 'authority-key' ? subject.value.toLowerCase() : undefined
  const found = issuer.authorities.value.find((authority) => authority.keyId === keyId)
  if (found && found.state !== 'old') return `it is the ${found.state} ${found.kind} authority; ${emergency}`
  // As everybody would judge our own SVIDs then: by their IDs, serial numbers, and all authorities above them.
  const denying = createBundleSource([issuer.bundle.value], createRevocationList([subject]))
  const isOurs = own.some(({ value: { chain } }) => {
    const verdict = verifyX509Svid(chain, denying, new Date(clock.now()))
    return verdict.kind === 'refused' && verdict.code === 'revoked'
  })
  return isOurs ? `Picket's own SVIDs would be refused, without which nobody could go on; ${emergency}` : undefined
}

/** Thousands of sidecars have few revisions between them. */
function countBy<T>(all: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1)
  return counts
}

function parseSubject(kind: string, value: string): RevocationSubject {
  try {
    return parseRevocationSubject(kind, value)
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause
    throw new ControlPlaneError('ERR_REVOCATION_INVALID', cause.message, { cause })
  }
}

function checkReason(reason: string): void {
  if (reason.length <= MOST_REASON_CHARACTERS && !/\p{Cc}/u.test(reason)) return
  throw invalid(`a reason is at most ${MOST_REASON_CHARACTERS} characters, none of them for control`)
}

function parsePageToken(token: string): number {
  if (token === '') return 0
  const position = /^[1-9]\d{0,8}$/.test(token) ? Number(token) : 0
  if (position === 0) throw new ControlPlaneError('ERR_PAGE', 'page_token is not one that was given out')
  return position
}

function invalid(problem: string): ControlPlaneError {
  return new ControlPlaneError('ERR_REVOCATION_INVALID', `nothing is revoked: ${problem}`)
}

function nameOf({ id, remote }: Caller): string {
  return id?.uri ?? remote
}
