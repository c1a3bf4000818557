import { createBundleSource, createJwtSvid, verifyJwtSvid, type TrustBundle } from '@picket/identity'
import type { IssuedJwt, IssueJwtRequest } from './authority.ts'
import type { LoadedAuthority } from './authority-files.ts'
import { CaError } from './error.ts'
import { MAX_JWT_SVID_TTL_MS, MIN_TTL_MS } from './profile.ts'

/**
 * Signs a checked request, then verifies its own output against the bundle that is published now: a token whose key
 * nobody could know yet does not leave. Throws `ERR_AUTHORITY_EXPIRED`, `ERR_LINT`.
 */
export function signJwtSvid(
  { id, audience, ttlMs, issuer }: IssueJwtRequest,
  { slot: { keyId, notAfter }, privateKey }: LoadedAuthority,
  bundle: TrustBundle,
  nowMs: number,
): IssuedJwt {
  if (notAfter.getTime() < nowMs + MIN_TTL_MS)
    throw new CaError('ERR_AUTHORITY_EXPIRED', 'the JWT authority has expired')
  const endMs = Math.min(nowMs + Math.min(ttlMs, MAX_JWT_SVID_TTL_MS), notAfter.getTime())
  const issuedAt = toWholeSeconds(nowMs)
  const expiresAt = toWholeSeconds(endMs)
  const claims = { id, audience, issuedAt, expiresAt, ...(issuer === undefined ? {} : { issuer }) }
  const token = createJwtSvid(claims, { keyId, privateKey: privateKey! })
  const verdict = verifyJwtSvid(token, createBundleSource([bundle]), audience[0]!, new Date(nowMs), { leewayMs: 0 })
  if (verdict.kind === 'refused') throw lintError(verdict.message)
  const isAsAsked =
    verdict.id.uri === id.uri &&
    verdict.keyId === keyId &&
    verdict.expiresAt.getTime() === expiresAt.getTime() &&
    verdict.audience.length === audience.length &&
    verdict.audience.every((name, index) => name === audience[index])
  if (!isAsAsked) throw lintError('it is not what was asked for')
  return { token, issuedAt, expiresAt, keyId }
}

const toWholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000)

function lintError(problem: string): CaError {
  return new CaError('ERR_LINT', `the token made does not verify: ${problem}`)
}
