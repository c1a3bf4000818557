import {
  createCertificate,
  generateKeyPairAsync,
  parseCertificate,
  toPublicKeyInfo,
  type KeyAlgorithm,
  type KeyPair,
  type TrustDomain,
} from '@picket/identity'
import type { Clock, Random } from '@picket/runtime'
import type { LoadedAuthority } from './authority-files.ts'
import { isAuthorityAlgorithm, type AuthorityKind, type AuthoritySlot } from './authority-slots.ts'
import { CaError } from './error.ts'
import { BACKDATE_MS, LAST_INSTANT_MS, MIN_TTL_MS } from './profile.ts'
import { createSampleSvid, faultOfSample } from './sample-svid.ts'
import { createAuthorityTemplate } from './template.ts'
import { readUpstream, upstreamError, type UpstreamFiles } from './upstream.ts'

export interface AuthorityPlan {
  readonly trustDomain: TrustDomain
  readonly kind: AuthorityKind
  readonly algorithm: KeyAlgorithm
  readonly ttlMs: number
  readonly upstream?: UpstreamFiles | undefined
}

interface MakingDeps {
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
}

/** A new authority with a new key, prepared, nowhere but in memory. Throws `ERR_ISSUE_REQUEST`, `ERR_UPSTREAM`. */
export async function makeAuthority(plan: AuthorityPlan, deps: MakingDeps): Promise<LoadedAuthority> {
  const { kind, algorithm, ttlMs } = plan
  if (!Number.isSafeInteger(ttlMs) || ttlMs < MIN_TTL_MS) throw planError('the time to live is under a second')
  if (deps.clock.now() + ttlMs > LAST_INSTANT_MS) throw planError('the authority would outlive the year 9999')
  if (!isAuthorityAlgorithm(kind, algorithm)) throw planError(`${algorithm} is no algorithm of a ${kind} authority`)
  const keyPair = await generateKeyPairAsync(algorithm)
  return kind === 'x509' ? makeX509(plan, keyPair, deps) : makeJwt(plan, keyPair, deps)
}

async function makeX509(
  plan: AuthorityPlan,
  keyPair: KeyPair,
  { clock, random }: MakingDeps,
): Promise<LoadedAuthority> {
  const nowMs = clock.now()
  const upstream = plan.upstream && (await readUpstream(plan.upstream))
  const info = toPublicKeyInfo(keyPair.publicKey)
  const notAfterMs = Math.min(nowMs + plan.ttlMs, upstream?.notAfter.getTime() ?? Number.POSITIVE_INFINITY)
  if (notAfterMs < nowMs + MIN_TTL_MS) throw upstreamError('it ends at once')
  const dates = { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(notAfterMs) }
  const template = createAuthorityTemplate(plan.trustDomain, info, dates, upstream?.certificate, random)
  const signingKey = upstream?.privateKey ?? keyPair.privateKey
  const certificate = parseCertificate(createCertificate(template, signingKey))
  const made: LoadedAuthority = {
    slot: { ...slotOf(plan, info.keyId, nowMs), notBefore: certificate.notBefore, notAfter: certificate.notAfter },
    certificate,
    chain: upstream ? [certificate, ...upstream.chain] : [],
    roots: upstream ? upstream.roots : [certificate],
    publicKey: certificate.publicKey,
    privateKey: keyPair.privateKey,
  }
  const fault = upstream && faultOfSample(createSampleSvid(made, random), made)
  if (fault !== undefined) throw upstreamError(`no peer would accept what is issued below it: ${fault}`)
  return made
}

function makeJwt(plan: AuthorityPlan, keyPair: KeyPair, { clock }: MakingDeps): LoadedAuthority {
  const { publicKey, privateKey } = keyPair
  const slot = slotOf(plan, toPublicKeyInfo(publicKey).keyId, clock.now())
  return { slot, certificate: undefined, chain: [], roots: [], publicKey, privateKey }
}

function slotOf({ kind, algorithm, ttlMs, upstream }: AuthorityPlan, keyId: string, nowMs: number): AuthoritySlot {
  return {
    kind,
    keyId,
    algorithm,
    state: 'prepared',
    tainted: false,
    preparedAt: new Date(nowMs),
    activatedAt: undefined,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + ttlMs),
    upstream: kind === 'x509' && upstream !== undefined,
  }
}

function planError(problem: string): CaError {
  return new CaError('ERR_ISSUE_REQUEST', problem)
}
