import type { Certificate } from '@picket/identity'
import type { Random } from '@picket/runtime'
import type { IssueSvidRequest } from './authority.ts'
import type { LoadedAuthority } from './authority-files.ts'
import { CaError } from './error.ts'
import { BACKDATE_MS, MIN_TTL_MS } from './profile.ts'
import { createSampleSvid, faultOfSample } from './sample-svid.ts'
import { checkSvid } from './signer.ts'
import { createSvidEncoder } from './svid-encoder.ts'
import { requestError } from './svid-request.ts'
import { createSerialNumbers } from './template.ts'

/** Signs SVIDs with one authority. */
export interface SvidIssuer {
  readonly authority: LoadedAuthority
  /** The leaf of a request that was checked. Throws `ERR_ISSUE_REQUEST`, `ERR_AUTHORITY_EXPIRED`, `ERR_LINT`. */
  issue(request: IssueSvidRequest, nowMs: number): Certificate
}

export function createSvidIssuer(authority: LoadedAuthority, random: Random): SvidIssuer {
  const { slot } = authority
  const endMs = slot.notAfter.getTime()
  const sample = createSampleSvid(authority, random)
  const fault = faultOfSample(sample, authority)
  if (fault !== undefined) throw new CaError('ERR_LINT', `what the authority issues does not verify: ${fault}`)
  const encoder = createSvidEncoder(authority.privateKey!, sample)
  const nextSerialNumber = createSerialNumbers(random)
  return {
    authority,
    issue({ csr, id, ttlMs, dnsNames = [] }, nowMs) {
      if (endMs < nowMs + MIN_TTL_MS) throw expired()
      if (csr.publicKeyInfo.keyId === slot.keyId) throw requestError("the key is the authority's own")
      const svid = {
        request: { id, publicKeyInfo: csr.publicKeyInfo, dnsNames },
        notBefore: new Date(nowMs - BACKDATE_MS),
        notAfter: new Date(Math.min(nowMs + ttlMs, endMs)),
      }
      return checkSvid(encoder.encode(nextSerialNumber(), svid), authority, svid)
    },
  }
}

export function expired(): CaError {
  return new CaError('ERR_AUTHORITY_EXPIRED', 'the authority has expired')
}
