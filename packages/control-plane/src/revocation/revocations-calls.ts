import { IdentityError, parseRevocationSubject, type RevocationSubject, type X509Svid } from '@picket/identity'
import { controlPlaneId, operatorId, type Caller, type Revocation, type RevocationHandlers } from '@picket/rpc'
import type { Clock, Logger, Watch } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import type { Issuer } from '../authorities/issuer.ts'
import type { Revocations, StoredRevocation } from './revocations.ts'
import type { RotatingSidecar } from '../authorities/rotation-facts.ts'
import { answer } from '../rpc-answer.ts'

interface RevocationCallDeps {
  readonly revocations: Revocations
  readonly issuer: Pick<Issuer, 'trustDomain' | 'authorities'>
  readonly sidecars: { connected(): readonly RotatingSidecar[] }
  /** Picket's own: of the control plane, of the operator. */
  readonly own: readonly Watch<X509Svid>[]
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

const PAGE = { usual: 500, largest: 1000 } as const
const MOST_REASON_CHARACTERS = 1024
const MOST_REVOCATIONS = 100_000

/** The operator's calls about the deny-list. */
export function createRevocationCalls(deps: RevocationCallDeps): RevocationHandlers {
  const { revocations, logger } = deps

  function toMessage({ subject, ...revocation }: StoredRevocation): Revocation {
    const connected = deps.sidecars.connected()
    const enforcing = connected.filter((sidecar) => revocations.isIn(sidecar.ackedRevision('revocations'), subject))
    const { reason, createdAtMs, createdBy, expiresAtMs } = revocation
    const counts = { acknowledged: enforcing.length, connected: connected.length }
    return { ...subject, reason, createdAtMs, createdBy, expiresAtMs, ...counts }
  }

  return {
    create: ({ kind, value, reason, expiresAtMs }, caller) =>
      answer(
        (async () => {
          const subject = parseSubject(kind, value)
          checkReason(reason)
          const nowMs = deps.clock.now()
          if (expiresAtMs !== 0 && expiresAtMs <= nowMs) throw invalid('it would have expired already')
          if (revocations.all().length >= MOST_REVOCATIONS) throw invalid(`there are ${MOST_REVOCATIONS} already`)
          const wayOut = refusalOf(subject, deps)
          if (wayOut !== undefined) throw new ControlPlaneError('ERR_REVOCATION_REFUSED', wayOut)
          const revocation = { subject, reason, createdAtMs: nowMs, createdBy: nameOf(caller), expiresAtMs }
          await revocations.add(revocation)
          logger.warn('revoked', { ...subject, reason, by: nameOf(caller) })
          return toMessage(revocation)
        })(),
      ),
    delete: ({ kind, value }, caller) =>
      answer(
        (async () => {
          const subject = parseSubject(kind, value)
          const removed = await revocations.remove(subject)
          if (!removed) throw new ControlPlaneError('ERR_REVOCATION_MISSING', 'it is not on the deny-list')
          logger.warn('revocation taken back', { ...subject, by: nameOf(caller) })
          return toMessage(removed)
        })(),
      ),
    list: ({ pageSize, pageToken }) =>
      answer(
        Promise.try(() => {
          const all = revocations.all()
          const from = parsePageToken(pageToken)
          const to = from + Math.min(pageSize || PAGE.usual, PAGE.largest)
          const nextPageToken = to < all.length ? String(to) : ''
          return { revocations: all.slice(from, to).map(toMessage), nextPageToken }
        }),
      ),
  }
}

/** Why this may not be revoked, with the way out: nobody could take it back any more, or nothing would work. */
function refusalOf({ kind, value }: RevocationSubject, deps: RevocationCallDeps): string | undefined {
  const { trustDomain, authorities } = deps.issuer
  const emergency = 'to replace a compromised authority: picket ca rotate --emergency'
  switch (kind) {
    case 'spiffe-id': {
      const isOwn = value === operatorId(trustDomain).uri || value === controlPlaneId(trustDomain).uri
      return isOwn ? `${value} is Picket's own identity, without which nobody could go on; ${emergency}` : undefined
    }
    case 'serial': {
      const isOwn = deps.own.some((svid) => svid.value.chain[0]!.serialNumber === value)
      return isOwn ? `the SVID is Picket's own; ${emergency}` : undefined
    }
    case 'authority-key': {
      const found = authorities.value.find(({ keyId }) => keyId === value.toLowerCase())
      if (!found || found.state === 'old') return undefined
      return `it is the ${found.state} ${found.kind} authority; ${emergency}`
    }
  }
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
