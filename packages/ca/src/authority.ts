import {
  createCertificate,
  generateKeyPair,
  parseCertificate,
  toPublicKeyInfo,
  type Certificate,
  type Csr,
  type KeyAlgorithm,
  type SpiffeId,
  type TrustBundle,
  type TrustDomain,
} from '@picket/identity'
import type { Clock, Random, SealKey } from '@picket/runtime'
import { bundleOf, journalPath, readAuthority, writeAuthority, type AuthorityFiles } from './authority-files.ts'
import { CaError } from './error.ts'
import { openJournal, type Journal } from './journal.ts'
import {
  DEFAULT_AUTHORITY_ALGORITHM,
  DEFAULT_AUTHORITY_TTL_MS,
  isDnsName,
  LAST_INSTANT_MS,
  MAX_DNS_NAMES,
  MIN_TTL_MS,
} from './profile.ts'
import { signSvid } from './signer.ts'
import { createAuthorityTemplate, createSvidTemplate } from './template.ts'

/** The certificate authority of one trust domain. */
export interface Authority extends AsyncDisposable {
  readonly trustDomain: TrustDomain
  readonly bundle: TrustBundle
  readonly certificate: Certificate
  readonly notAfter: Date
  /**
   * CSR → SVID chain, leaf first, the authority itself left out. The parsed `Csr` is the proof that the caller holds the
   * key; whether it may have `id` was decided before. Throws `ERR_ISSUE_REQUEST`, `ERR_AUTHORITY_EXPIRED`, `ERR_LINT`,
   * `ERR_JOURNAL`.
   */
  issue(request: IssueSvidRequest): Promise<readonly Certificate[]>
}

export interface IssueSvidRequest {
  readonly csr: Csr
  readonly id: SpiffeId
  readonly ttlMs: number
  readonly dnsNames?: readonly string[]
  /** Who asked, for the journal. */
  readonly caller: string
}

export interface AuthorityDeps {
  readonly clock: Clock
  readonly random: Random
}

export interface InitAuthorityOptions {
  readonly trustDomain: TrustDomain
  readonly algorithm?: KeyAlgorithm
  readonly ttlMs?: number
  readonly sealKey: SealKey
}

/**
 * Makes the trust domain's first authority in `directory`. Overwrites nothing: throws `ERR_AUTHORITY_EXISTS`. Throws
 * `ERR_ISSUE_REQUEST` for a time to live that no certificate can have.
 */
export async function initAuthority(
  directory: string,
  options: InitAuthorityOptions,
  deps: AuthorityDeps,
): Promise<Authority> {
  const { trustDomain, algorithm = DEFAULT_AUTHORITY_ALGORITHM, ttlMs = DEFAULT_AUTHORITY_TTL_MS, sealKey } = options
  checkTtl(ttlMs)
  if (deps.clock.now() + ttlMs > LAST_INSTANT_MS) throw requestError('the authority would outlive the year 9999')
  const keyPair = generateKeyPair(algorithm)
  const info = toPublicKeyInfo(keyPair.publicKey)
  const template = createAuthorityTemplate(trustDomain, info, ttlMs, deps.clock.now(), deps.random)
  const certificate = parseCertificate(createCertificate(template, keyPair.privateKey))
  await writeAuthority(directory, { certificate, privateKey: keyPair.privateKey }, bundleOf(certificate), sealKey)
  return openAuthority(directory, { sealKey }, deps)
}

/** Opens what `initAuthority` made. A wrong sealing key or damaged files are errors that change nothing. */
export async function openAuthority(
  directory: string,
  { sealKey }: { sealKey: SealKey },
  deps: AuthorityDeps,
): Promise<Authority> {
  const files = await readAuthority(directory, sealKey)
  return createAuthority(files, await openJournal(journalPath(directory)), deps)
}

function createAuthority(
  { certificate, privateKey }: AuthorityFiles,
  journal: Journal,
  deps: AuthorityDeps,
): Authority {
  const bundle = bundleOf(certificate)
  return {
    trustDomain: bundle.trustDomain,
    bundle,
    certificate,
    notAfter: certificate.notAfter,
    async issue(request) {
      const nowMs = deps.clock.now()
      checkRequest(request, certificate, bundle.trustDomain, nowMs)
      const { csr, id, ttlMs, dnsNames = [], caller } = request
      const template = createSvidTemplate(
        { id, publicKeyInfo: csr.publicKeyInfo, ttlMs, dnsNames },
        certificate,
        nowMs,
        deps.random,
      )
      const svid = signSvid(template, privateKey, { id, bundle, now: new Date(nowMs) })
      await journal.append({
        time: new Date(nowMs).toISOString(),
        serialNumber: svid.serialNumber,
        spiffeId: id.uri,
        notAfter: svid.notAfter.toISOString(),
        caller,
        authorityKeyId: certificate.subjectKeyId ?? '',
        fingerprintSha256: svid.fingerprintSha256,
      })
      return [svid]
    },
    [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
  }
}

function checkRequest(
  { csr, id, ttlMs, dnsNames = [] }: IssueSvidRequest,
  authority: Certificate,
  trustDomain: TrustDomain,
  nowMs: number,
): void {
  if (id.trustDomain.name !== trustDomain.name)
    throw requestError(`${id.uri} is not of the trust domain ${trustDomain.name}`)
  if (id.path === '') throw requestError(`${id.uri} has no path`)
  checkTtl(ttlMs)
  const misnamed = dnsNames.find((name) => !isDnsName(name))
  if (misnamed !== undefined) throw requestError(`${JSON.stringify(misnamed)} is not a DNS name in lower case`)
  if (dnsNames.length > MAX_DNS_NAMES) throw requestError(`more than ${MAX_DNS_NAMES} DNS names`)
  if (csr.publicKeyInfo.der.equals(authority.publicKeyInfo.der)) throw requestError("the key is the authority's own")
  if (authority.notAfter.getTime() <= nowMs) throw new CaError('ERR_AUTHORITY_EXPIRED', 'the authority has expired')
}

function checkTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < MIN_TTL_MS) throw requestError('the time to live is under a second')
}

function requestError(problem: string): CaError {
  return new CaError('ERR_ISSUE_REQUEST', problem)
}
