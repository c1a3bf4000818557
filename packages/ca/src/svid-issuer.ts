import type { Certificate } from '@picket/identity'
import type { Random } from '@picket/runtime'
import type { IssueSvidRequest } from './authority.ts'
import type { LoadedAuthority } from './authority-files.ts'
import { CaError } from './error.ts'
import { BACKDATE_MS, MIN_TTL_MS } from './profile.ts'
import { signSvid } from './signer.ts'
import { requestError } from './svid-request.ts'
import { createSvidTemplate } from './template.ts'

/** Signs SVIDs with one authority. */
export interface SvidIssuer {
  readonly authority: LoadedAuthority
  /** The leaf of a request that was checked. Throws `ERR_ISSUE_REQUEST`, `ERR_AUTHORITY_EXPIRED`, `ERR_LINT`. */
  issue(request: IssueSvidRequest, nowMs: number): Certificate
}

export function createSvidIssuer(authority: LoadedAuthority, random: Random): SvidIssuer {
  const { slot, certificate } = authority
  const endMs = slot.notAfter.getTime()
  return {
    authority,
    issue({ csr, id, ttlMs, dnsNames = [] }, nowMs) {
      if (endMs < nowMs + MIN_TTL_MS) throw expired()
      if (csr.publicKeyInfo.keyId === slot.keyId) throw requestError("the key is the authority's own")
      const expected = {
        request: { id, publicKeyInfo: csr.publicKeyInfo, dnsNames },
        notBefore: new Date(nowMs - BACKDATE_MS),
        notAfter: new Date(Math.min(nowMs + ttlMs, endMs)),
      }
      return signSvid(createSvidTemplate(expected, certificate!, random), authority, expected)
    },
  }
}

export function expired(): CaError {
  return new CaError('ERR_AUTHORITY_EXPIRED', 'the authority has expired')
}
