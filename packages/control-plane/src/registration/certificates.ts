import { IdentityError, parseCsr, parseSpiffeId, type Csr, type SpiffeId } from '@picket/identity'
import {
  RpcError,
  type AttestRequest,
  type AttestResponse,
  type Caller,
  type IssueJwtRequest,
  type IssueJwtResponse,
  type IssueRequest,
  type IssueResponse,
  type SvidMessage,
} from '@picket/rpc'
import { messageOf, type Clock, type Logger, type Metrics } from '@picket/runtime'
import type { Attestors } from '../attestors/attestors.ts'
import type { EvidenceDenial } from '../attestors/attestor.ts'
import type { Denials } from './denials.ts'
import type { Enrollment, EnrollmentDenial, EnrollmentService } from './enrollment.ts'
import type { Issuer } from '../issuer.ts'
import type { RegistrationEntry } from './registration-entry.ts'
import { answer } from '../rpc-answer.ts'

export interface IssuedSvid {
  readonly serialNumber: string
  readonly spiffeId: string
  readonly attestationId: string
  readonly issuedAtMs: number
  readonly notAfterMs: number
  /** The service's name, where it is to be nobody else's while the SVID lives. */
  readonly service?: string
}

export interface SvidStore {
  /** Throws `ERR_SERVICE_TAKEN`. */
  recordSvid(svid: IssuedSvid): Promise<void>
  /** How many there have ever been. */
  countSvids(): Promise<number>
}

export interface Certificates {
  attest(request: AttestRequest, caller: Caller): Promise<AttestResponse>
  issue(request: IssueRequest, caller: Caller): Promise<IssueResponse>
  issueJwt(request: IssueJwtRequest, caller: Caller): Promise<IssueJwtResponse>
}

export interface CertificatesDeps {
  readonly issuer: Pick<Issuer, 'issue' | 'issueJwt'>
  readonly attestors: Attestors
  readonly enrollment: EnrollmentService
  readonly store: SvidStore
  readonly denials: Pick<Denials, 'record'>
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly metrics: Metrics
  /** The newest bundle of the trust domain, as JSON. */
  trustBundle(): string
}

export interface CertificatesOptions {
  readonly svidTtlMs: number
  readonly jwtSvidTtlMs: number
  /** The `iss` claim of JWT-SVIDs. */
  readonly jwtIssuer?: string | undefined
}

/** Who is refused, as far as it is known. */
interface Refused {
  readonly caller: Caller
  readonly evidence: string
  readonly id: SpiffeId | undefined
}

/** The straight line from a CSR to a certificate: parse, attest, enroll, issue, remember, answer. */
export function createCertificates(deps: CertificatesDeps, options: CertificatesOptions): Certificates {
  const { issuer, attestors, enrollment, logger, metrics } = deps
  const issued = metrics.counter('picket_svids_issued_total', 'SVIDs handed out since the start')
  const jwtIssued = metrics.counter('picket_jwt_svids_issued_total', 'JWT-SVIDs handed out since the start')

  async function issue(csr: Csr, { entry, attestation }: Enrollment, caller: string): Promise<SvidMessage> {
    const { spiffeId: id, dnsNames } = entry
    const ttlMs = entry.ttlSeconds * 1000 || options.svidTtlMs
    const chain = await answer(issuer.issue({ csr, id, ttlMs, dnsNames, ...journalOf(entry, caller) }))
    const leaf = chain[0]!
    const { serialNumber, notAfter } = leaf
    await answer(deps.store.recordSvid(toIssuedSvid(entry, attestation.id, leaf, deps.clock.now())))
    issued.add()
    const authority = leaf.authorityKeyId
    const by = { entry: entry.id, entryRevision: entry.revision, authority, evidence: attestation.evidence }
    logger.info('SVID issued', { spiffeId: id.uri, serialNumber, notAfter, caller, ...by })
    return { spiffeId: id.uri, chain: chain.map(({ der }) => der) }
  }

  /** The enrollment of a caller with a valid SVID, as `wanted` or as itself. */
  async function confirm(caller: Caller, wanted: SpiffeId | undefined): Promise<Enrollment> {
    const { id, leaf } = identityOf(caller)
    const confirmed = await answer(enrollment.confirm(id, leaf.serialNumber, wanted ?? id))
    if (confirmed.kind === 'denied') throw refuse(deps, confirmed, { caller, evidence: 'svid', id: wanted })
    return confirmed
  }

  return {
    async attest({ csr: der, ...evidence }, caller) {
      const csr = readCsr(der)
      const attested = await answer(attestors.attest(evidence, csr))
      const refused = { caller, evidence: attested.evidence, id: csr.requestedId }
      if (attested.kind === 'denied') throw refuse(deps, attested, refused)
      const enrolled = await answer(enrollment.enroll(attested, csr.requestedId))
      if (enrolled.kind === 'denied') throw refuse(deps, enrolled, refused)
      const svid = await issue(csr, enrolled, `${attested.subject} from ${caller.remote}`)
      return { svid, trustBundle: deps.trustBundle() }
    },
    async issue({ csr: der }, caller) {
      const csr = readCsr(der)
      return { svid: await issue(csr, await confirm(caller, csr.requestedId), identityOf(caller).id.uri) }
    },
    async issueJwt({ spiffeId, audience }, caller) {
      const wanted = spiffeId === '' ? undefined : readId(spiffeId)
      const { entry } = await confirm(caller, wanted)
      const { uri } = identityOf(caller).id
      const request = { id: entry.spiffeId, audience: [...new Set(audience)], ttlMs: options.jwtSvidTtlMs }
      const iss = options.jwtIssuer === undefined ? {} : { issuer: options.jwtIssuer }
      const jwt = await answer(issuer.issueJwt({ ...request, ...journalOf(entry, uri), ...iss }))
      jwtIssued.add()
      const by = { caller: uri, entry: entry.id, entryRevision: entry.revision, authority: jwt.keyId }
      logger.info('JWT-SVID issued', { spiffeId: entry.spiffeId.uri, audience, notAfter: jwt.expiresAt, ...by })
      const [issuedAtMs, expiresAtMs] = [jwt.issuedAt.getTime(), jwt.expiresAt.getTime()]
      return { spiffeId: entry.spiffeId.uri, token: jwt.token, issuedAtMs, expiresAtMs }
    },
  }
}

/** Counts, logs and remembers a refusal. */
function refuse(
  { metrics, logger, denials, clock }: CertificatesDeps,
  denial: EnrollmentDenial | EvidenceDenial,
  { caller, evidence, id }: Refused,
): RpcError {
  const { reason, message, detail } = denial
  const { facts = [], near = [] } = denial as EnrollmentDenial
  metrics.counter('picket_enrollments_denied_total', 'Attestations and renewals refused', { reason }).add()
  logger.warn('enrollment denied', { reason, evidence, detail, caller: caller.id?.uri, remote: caller.remote })
  const spiffeId = (id ?? caller.id)?.uri ?? ''
  const shown = near.length === 0 && detail !== undefined ? `${message} (${detail})` : message
  const about = { spiffeId, remote: caller.remote, evidence, reason, message: shown }
  denials.record({ ...about, atMs: clock.now(), facts, near })
  return new RpcError('ERR_RPC_DENIED', message)
}

/** The part of a request to the authority that is for its journal. */
function journalOf(
  { id, revision }: RegistrationEntry,
  caller: string,
): { caller: string; entryId: string; entryRevision: string } {
  return { caller, entryId: id, entryRevision: String(revision) }
}

function toIssuedSvid(
  { spiffeId, service, claimsService }: RegistrationEntry,
  attestationId: string,
  { serialNumber, notAfter }: { readonly serialNumber: string; readonly notAfter: Date },
  issuedAtMs: number,
): IssuedSvid {
  const svid = { serialNumber, spiffeId: spiffeId.uri, attestationId, issuedAtMs, notAfterMs: notAfter.getTime() }
  return claimsService ? { ...svid, service } : svid
}

/** The verified caller of a method that takes no others. */
export function identityOf({ peer }: Caller): NonNullable<Caller['peer']> {
  if (!peer) throw new RpcError('ERR_RPC_UNAUTHENTICATED', 'this call needs a client certificate')
  return peer
}

function readId(uri: string): SpiffeId {
  try {
    return parseSpiffeId(uri)
  } catch (cause) {
    throw new RpcError('ERR_RPC_INVALID', `spiffe_id: ${messageOf(cause)}`, { cause })
  }
}

function readCsr(der: Buffer): Csr {
  try {
    return parseCsr(der)
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause
    throw new RpcError('ERR_RPC_INVALID', `csr: ${cause.message}`, { cause, reason: cause.code })
  }
}
