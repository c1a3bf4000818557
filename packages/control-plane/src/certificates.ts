import { IdentityError, parseCsr, type Csr } from '@picket/identity'
import {
  RpcError,
  type AttestRequest,
  type AttestResponse,
  type Caller,
  type IssueRequest,
  type IssueResponse,
  type SvidMessage,
} from '@picket/rpc'
import type { Clock, Logger, Metrics } from '@picket/runtime'
import type { Enrollment, EnrollmentDenial, EnrollmentService } from './enrollment.ts'
import type { Issuer } from './issuer.ts'
import { answer } from './rpc-answer.ts'

export interface IssuedSvid {
  readonly serialNumber: string
  readonly spiffeId: string
  readonly attestationId: string
  readonly issuedAtMs: number
  readonly notAfterMs: number
}

export interface SvidStore {
  recordSvid(svid: IssuedSvid): Promise<void>
  /** How many there have ever been. */
  countSvids(): Promise<number>
}

export interface Certificates {
  attest(request: AttestRequest, caller: Caller): Promise<AttestResponse>
  issue(request: IssueRequest, caller: Caller): Promise<IssueResponse>
}

interface CertificatesDeps {
  readonly issuer: Issuer
  readonly enrollment: EnrollmentService
  readonly store: SvidStore
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly metrics: Metrics
  /** The newest bundle of the trust domain, as JSON. */
  trustBundle(): string
}

/** The straight line from a CSR to a certificate: parse, enroll, issue, remember, answer. */
export function createCertificates(deps: CertificatesDeps, options: { readonly svidTtlMs: number }): Certificates {
  const { issuer, enrollment, store, clock, logger, metrics } = deps
  const issued = metrics.counter('picket_svids_issued_total', 'SVIDs handed out since the start')

  async function issue(csr: Csr, { entry, attestation }: Enrollment, caller: string): Promise<SvidMessage> {
    const { spiffeId: id, dnsNames } = entry
    const ttlMs = entry.ttlSeconds * 1000 || options.svidTtlMs
    const chain = await answer(issuer.issue({ csr, id, ttlMs, dnsNames, caller }))
    const { serialNumber, notAfter } = chain[0]!
    await store.recordSvid({
      serialNumber,
      spiffeId: id.uri,
      attestationId: attestation.id,
      issuedAtMs: clock.now(),
      notAfterMs: notAfter.getTime(),
    })
    issued.add()
    logger.info('SVID issued', { spiffeId: id.uri, serialNumber, notAfter, caller, entry: entry.id })
    return { spiffeId: id.uri, chain: chain.map(({ der }) => der) }
  }

  function refuse({ reason, message, detail }: EnrollmentDenial, caller: Caller): RpcError {
    metrics.counter('picket_enrollments_denied_total', 'Attestations and renewals refused', { reason }).add()
    logger.warn('enrollment denied', { reason, detail, caller: caller.id?.uri, remote: caller.remote })
    return new RpcError('ERR_RPC_DENIED', message)
  }

  return {
    async attest({ joinToken, csr: der }, caller) {
      const csr = readCsr(der)
      const enrolled = await answer(enrollment.enroll(joinToken, csr.requestedId))
      if (enrolled.kind === 'denied') throw refuse(enrolled, caller)
      const svid = await issue(csr, enrolled, `join token from ${caller.remote}`)
      return { svid, trustBundle: deps.trustBundle() }
    },
    async issue({ csr: der }, caller) {
      const csr = readCsr(der)
      const { id, leaf } = identityOf(caller)
      if (csr.requestedId && csr.requestedId.uri !== id.uri) {
        throw new RpcError('ERR_RPC_DENIED', `the CSR asks for ${csr.requestedId.uri}, the caller is ${id.uri}`)
      }
      const confirmed = await enrollment.confirm(id, leaf.serialNumber)
      if (confirmed.kind === 'denied') throw refuse(confirmed, caller)
      return { svid: await issue(csr, confirmed, id.uri) }
    },
  }
}

/** The verified caller of a method that takes no others. */
export function identityOf({ peer }: Caller): NonNullable<Caller['peer']> {
  if (!peer) throw new RpcError('ERR_RPC_UNAUTHENTICATED', 'this call needs a client certificate')
  return peer
}

function readCsr(der: Buffer): Csr {
  try {
    return parseCsr(der)
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause
    throw new RpcError('ERR_RPC_INVALID', `csr: ${cause.message}`, { cause, reason: cause.code })
  }
}
