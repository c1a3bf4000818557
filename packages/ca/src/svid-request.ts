import type { SpiffeId, TrustDomain } from '@picket/identity'
import type { IssueJwtRequest, IssueSvidRequest } from './authority.ts'
import { CaError } from './error.ts'
import { isDnsName, MAX_AUDIENCE_CHARACTERS, MAX_AUDIENCES, MAX_DNS_NAMES, MIN_TTL_MS } from './profile.ts'

/** Throws `ERR_ISSUE_REQUEST`: what no SVID of this trust domain can be. */
export function checkSvidRequest({ id, ttlMs, dnsNames = [] }: IssueSvidRequest, trustDomain: TrustDomain): void {
  checkId(id, trustDomain)
  checkTtl(ttlMs)
  const misnamed = dnsNames.find((name) => !isDnsName(name))
  if (misnamed !== undefined) throw requestError(`${JSON.stringify(misnamed)} is not a DNS name in lower case`)
  if (dnsNames.length > MAX_DNS_NAMES) throw requestError(`more than ${MAX_DNS_NAMES} DNS names`)
}

/** Throws `ERR_ISSUE_REQUEST`: a token for nobody, or for more than anybody needs. */
export function checkJwtRequest({ id, ttlMs, audience, issuer }: IssueJwtRequest, trustDomain: TrustDomain): void {
  checkId(id, trustDomain)
  checkTtl(ttlMs)
  if (audience.length === 0 || audience.length > MAX_AUDIENCES) {
    throw requestError(`an audience is one to ${MAX_AUDIENCES} names`)
  }
  if (!audience.every(isName) || !(issuer === undefined || isName(issuer))) {
    throw requestError(`a name in a token is 1 to ${MAX_AUDIENCE_CHARACTERS} characters, none of them for control`)
  }
}

function checkId(id: SpiffeId, trustDomain: TrustDomain): void {
  if (id.trustDomain.name !== trustDomain.name) {
    throw requestError(`${id.uri} is not of the trust domain ${trustDomain.name}`)
  }
  if (id.path === '') throw requestError(`${id.uri} has no path`)
}

/** Throws `ERR_ISSUE_REQUEST`. */
export function checkTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < MIN_TTL_MS) throw requestError('the time to live is under a second')
}

function isName(name: string): boolean {
  return name !== '' && name.length <= MAX_AUDIENCE_CHARACTERS && name.isWellFormed() && !/\p{Cc}/u.test(name)
}

export function requestError(problem: string): CaError {
  return new CaError('ERR_ISSUE_REQUEST', problem)
}
