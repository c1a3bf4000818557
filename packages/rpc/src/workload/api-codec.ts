import { RpcError } from '../rpc-error.ts'
import type { JWTBundlesResponse } from './generated/JWTBundlesResponse.ts'
import type { JWTSVIDRequest__Output } from './generated/JWTSVIDRequest.ts'
import type { JWTSVIDResponse } from './generated/JWTSVIDResponse.ts'
import type { ValidateJWTSVIDRequest__Output } from './generated/ValidateJWTSVIDRequest.ts'
import type { ValidateJWTSVIDResponse } from './generated/ValidateJWTSVIDResponse.ts'
import type { X509BundlesResponse } from './generated/X509BundlesResponse.ts'
import type { X509SVIDResponse } from './generated/X509SVIDResponse.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import type {
  JwtBundleState,
  JwtSvidEntry,
  JwtSvidRequest,
  ValidatedJwtSvid,
  ValidateJwtSvidRequest,
  X509BundleState,
  X509SvidState,
} from './messages.ts'
import { toStruct } from './struct.ts'

/** Domain messages ⇄ wire messages of the Workload API. What decodes throws `ERR_RPC_INVALID`. */
export function encodeX509Svids({ svids, crls, federatedBundles }: X509SvidState): X509SVIDResponse {
  return {
    svids: svids.map(({ spiffeId, chain, key, bundle, hint }) => ({
      spiffeId,
      x509Svid: chain,
      x509SvidKey: key,
      bundle,
      hint,
    })),
    crl: [...crls],
    federatedBundles,
  }
}

export function encodeX509Bundles({ crls, bundles }: X509BundleState): X509BundlesResponse {
  return { crl: [...crls], bundles }
}

export function encodeJwtBundles({ bundles }: JwtBundleState): JWTBundlesResponse {
  return { bundles: Object.fromEntries(Object.entries(bundles).map(([id, keys]) => [id, Buffer.from(keys)])) }
}

export function decodeJwtSvidRequest({ audience, spiffeId }: JWTSVIDRequest__Output): JwtSvidRequest {
  if (audience.length === 0) throw invalid('an audience is missing')
  if (audience.length > WORKLOAD_LIMITS.audiences)
    throw invalid(`there are over ${WORKLOAD_LIMITS.audiences} audiences`)
  for (const value of audience) checkAudience(value)
  return { audience: [...new Set(audience)], spiffeId: spiffeId === '' ? undefined : spiffeId }
}

export function encodeJwtSvids(svids: readonly JwtSvidEntry[]): JWTSVIDResponse {
  return { svids: svids.map(({ spiffeId, token, hint }) => ({ spiffeId, svid: token, hint })) }
}

export function decodeValidateRequest({ audience, svid }: ValidateJWTSVIDRequest__Output): ValidateJwtSvidRequest {
  checkAudience(audience)
  if (svid === '') throw invalid('the JWT-SVID is missing')
  if (svid.length > WORKLOAD_LIMITS.tokenBytes) throw invalid('the JWT-SVID is too long')
  return { audience, token: svid }
}

export function encodeValidated({ spiffeId, claims }: ValidatedJwtSvid): ValidateJWTSVIDResponse {
  return { spiffeId, claims: toStruct(claims) }
}

function checkAudience(value: string): void {
  if (value === '') throw invalid('an audience is missing')
  if (Buffer.byteLength(value) > WORKLOAD_LIMITS.audienceBytes) throw invalid('an audience is too long')
}

function invalid(message: string): RpcError {
  return new RpcError('ERR_RPC_INVALID', message)
}
