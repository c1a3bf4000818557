import {
  createBundleSource,
  encodeTrustBundle,
  parseCsr,
  verifyX509Svid,
  type Certificate,
  type Csr,
} from '@picket/identity'
import {
  RpcError,
  type AttestRequest,
  type AttestResponse,
  type Caller,
  type IssueRequest,
  type SvidMessage,
} from '@picket/rpc'
import { messageOf, Secret, type Clock, type Counter, type Logger, type Metrics } from '@picket/runtime'
import type { Enrolled, Enrollment, EnrollmentDenial } from './enrollment.ts'
import type { Issuer } from './issuer.ts'

/** The certificate flow on this side of the wire: parse → enroll → issue → check → answer, in two straight lines. */
export interface Certificates {
  attest(request: AttestRequest, caller: Caller): Promise<AttestResponse>
  issue(request: IssueRequest, caller: Caller): Promise<{ svid: SvidMessage }>
  readonly issued: number
}

export interface CertificatesDeps {
  readonly issuer: Issuer
  readonly enrollment: Enrollment
  readonly defaultTtlMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export function createCertificates(deps: CertificatesDeps): Certificates {
  const { issuer, enrollment, defaultTtlMs, clock, logger, metrics } = deps
  const counters = createCounters(metrics)
  let issued = 0

  async function issueTo({ id, entry }: Enrolled, csr: Csr, caller: string): Promise<SvidMessage> {
    const ttlMs = entry.ttlSeconds === 0 ? defaultTtlMs : entry.ttlSeconds * 1000
    const chain = await issuer.issue({ csr, id, ttlMs, dnsNames: entry.dnsNames, caller })
    checkChain(chain, id.uri, issuer, new Date(clock.now()))
    issued += 1
    counters.issued.add()
    const [leaf] = chain
    logger.info('svid issued', { spiffeId: id.uri, serialNumber: leaf?.serialNumber, entry: entry.id, caller })
    return { spiffeId: id.uri, chain: chain.map((certificate) => certificate.der) }
  }

  function deny({ reason }: EnrollmentDenial, method: string, caller: Caller): RpcError {
    counters.denied.add()
    logger.warn('svid denied', { method, reason, caller: caller.id?.uri, remote: caller.remote })
    // A presenter of a bad token learns that it is bad, not which way: guessing and replaying look alike from outside.
    const message = reason.startsWith('token_')
      ? 'the join token is unknown, used or expired: make another with "picket token create"'
      : DENIALS[reason as keyof typeof DENIALS]
    return new RpcError('ERR_RPC_DENIED', message, { reason: reason.startsWith('token_') ? 'token_refused' : reason })
  }

  return {
    get issued() {
      return issued
    },
    async attest({ joinToken, csr }, caller) {
      const request = parseRequest(csr)
      const enrolled = enrollment.enroll(new Secret(joinToken), request.requestedId)
      if (enrolled.kind === 'denied') throw deny(enrolled, 'attest', caller)
      const svid = await issueTo(enrolled, request, `join token, ${caller.remote}`)
      return { svid, trustBundle: encodeTrustBundle(issuer.bundle) }
    },
    async issue({ csr }, caller) {
      const request = parseRequest(csr)
      if (!caller.id) throw new RpcError('ERR_RPC_UNAUTHENTICATED', 'this call needs a client certificate')
      const enrolled = enrollment.renew(caller.id)
      if (enrolled.kind === 'denied') throw deny(enrolled, 'issue', caller)
      return { svid: await issueTo(enrolled, request, caller.id.uri) }
    },
  }
}

const DENIALS = {
  no_entry: 'no registration entry matches what was proven: see "picket entry list"',
  wanted_id_not_entitled: 'no matching registration entry gives the SPIFFE ID that the CSR asks for',
  ambiguous_entries: 'several registration entries match equally well: ask for one SPIFFE ID in the CSR',
  never_attested: 'this identity was never attested here: start the sidecar with a join token',
  entry_withdrawn: 'the registration entry of this identity was withdrawn',
} as const

/** Bad bytes are the caller's fault and cost it no join token: the CSR is parsed before the token is redeemed. */
function parseRequest(csr: Buffer): Csr {
  try {
    return parseCsr(csr)
  } catch (cause) {
    throw new RpcError('ERR_RPC_INVALID', messageOf(cause), { cause })
  }
}

/** An issuer may be a remote one: what comes back is verified like any stranger's chain before it is handed on. */
function checkChain(chain: readonly Certificate[], expected: string, issuer: Issuer, now: Date): void {
  const verdict = verifyX509Svid(chain, createBundleSource([issuer.bundle]), now)
  if (verdict.kind === 'refused') throw new Error(`the issuer's answer does not verify: ${verdict.message}`)
  if (verdict.id.uri !== expected) throw new Error(`the issuer answered with ${verdict.id.uri} instead of ${expected}`)
}

function createCounters(metrics: Metrics): { issued: Counter; denied: Counter } {
  return {
    issued: metrics.counter('picket_svids_issued_total', 'SVIDs issued since the start'),
    denied: metrics.counter('picket_svids_denied_total', 'SVIDs denied since the start'),
  }
}
