import { hash } from 'node:crypto'
import { createCrl, type TrustDomain } from '@picket/identity'
import type { Authority, AuthorityDeps, IssueJwtRequest, IssueSvidRequest } from './authority.ts'
import type { AuthorityKeeper } from './authority-keeper.ts'
import type { AuthorityKind } from './authority-slots.ts'
import type { Journal } from './journal.ts'
import { signJwtSvid } from './jwt-issuer.ts'
import { BACKDATE_MS, MIN_TTL_MS } from './profile.ts'
import { createSvidIssuer, expired } from './svid-issuer.ts'
import { checkJwtRequest, checkSvidRequest, checkTtl } from './svid-request.ts'

/** The straight lines from a request to an SVID: check, sign, check what was signed, write down, hand out. */
export type Issuing = Pick<Authority, 'issue' | 'issueJwt' | 'signCrl'>

export function createIssuing(
  keeper: AuthorityKeeper,
  journal: Journal,
  trustDomain: TrustDomain,
  { clock, random }: AuthorityDeps,
): Issuing {
  /** The instant of signing, so that it also grows over restarts. */
  let crlNumber = 0n
  let svidIssuer = createSvidIssuer(keeper.activeOf('x509'), random)
  keeper.authorities.subscribe(() => {
    const active = keeper.activeOf('x509')
    if (active.slot.keyId !== svidIssuer.authority.slot.keyId) svidIssuer = createSvidIssuer(active, random)
  })
  return {
    async issue(request) {
      const { authority } = svidIssuer
      checkSvidRequest(request, trustDomain)
      const nowMs = clock.now()
      const svid = svidIssuer.issue(request, nowMs)
      await journal.append({
        ...recordedOf(request, 'x509', nowMs),
        serialNumber: svid.serialNumber,
        notAfter: svid.notAfter.toISOString(),
        authorityKeyId: authority.slot.keyId,
        fingerprintSha256: svid.fingerprintSha256,
      })
      return [svid, ...authority.chain]
    },
    async issueJwt(request) {
      checkJwtRequest(request, trustDomain)
      const nowMs = clock.now()
      const issued = signJwtSvid(request, keeper.activeOf('jwt'), keeper.bundle.value, nowMs)
      await journal.append({
        ...recordedOf(request, 'jwt', nowMs),
        audience: request.audience,
        notAfter: issued.expiresAt.toISOString(),
        authorityKeyId: issued.keyId,
        fingerprintSha256: hash('sha256', issued.token, 'hex'),
      })
      return issued
    },
    signCrl: (revoked, validForMs) =>
      Promise.try(() => {
        checkTtl(validForMs)
        const { slot, certificate, privateKey } = keeper.activeOf('x509')
        const nowMs = clock.now()
        const nextUpdate = new Date(Math.min(nowMs + validForMs, slot.notAfter.getTime()))
        if (nextUpdate.getTime() < nowMs + MIN_TTL_MS) throw expired()
        crlNumber = crlNumber < BigInt(nowMs) ? BigInt(nowMs) : crlNumber + 1n
        const thisUpdate = new Date(nowMs - BACKDATE_MS)
        return createCrl({ issuer: certificate!, crlNumber, thisUpdate, nextUpdate, revoked }, privateKey!)
      }),
  }
}

function recordedOf(request: IssueSvidRequest | IssueJwtRequest, kind: AuthorityKind, nowMs: number) {
  const { id, caller, entryId, entryRevision } = request
  return {
    kind,
    time: new Date(nowMs).toISOString(),
    spiffeId: id.uri,
    caller,
    ...(entryId !== undefined && { entryId }),
    ...(entryRevision !== undefined && { entryRevision }),
  }
}
