import type { Csr } from '@picket/identity'
import { RpcError, type SignedChallenge } from '@picket/rpc'
import { codeOf, messageOf, type Logger } from '@picket/runtime'
import {
  deny,
  type Attested,
  type Attestor,
  type Evidence,
  type EvidenceDenial,
  type EvidenceKind,
} from './attestor.ts'
import type { ExpiredSvids } from './expired-svid.ts'

/** The kinds of evidence that this control plane takes; one that is undefined is not set up. */
export interface AttestorTable {
  readonly 'join-token': Attestor<string>
  readonly 'x509-pop': Attestor<SignedChallenge> | undefined
  readonly kubernetes: Attestor<string> | undefined
  readonly 'expired-svid': ExpiredSvids
}

/** What is shown, once it is clear what it is. */
type Shown = {
  readonly [Kind in Exclude<EvidenceKind, 'expired-svid'>]: NonNullable<AttestorTable[Kind]> extends Attestor<infer E>
    ? { readonly kind: Kind; readonly evidence: E }
    : never
}[Exclude<EvidenceKind, 'expired-svid'>]

export interface Attestors {
  /** Throws `ERR_RPC_INVALID` for evidence that is none or more than one, `ERR_RPC_UNAVAILABLE` for what cannot be judged now. */
  attest(evidence: Evidence, csr: Csr): Promise<Attested | EvidenceDenial>
}

export function createAttestors(table: AttestorTable, logger: Pick<Logger, 'warn'>): Attestors {
  async function attestOne(shown: Shown, csr: Csr): Promise<Attested | EvidenceDenial> {
    const { kind, evidence } = shown
    const attestor: Attestor<typeof evidence> | undefined = table[kind]
    if (!attestor) return deny(kind, 'evidence-not-taken', `this control plane takes no ${kind} evidence`)
    try {
      return await attestor.attest(evidence, csr)
    } catch (cause) {
      if (codeOf(cause) !== 'ERR_ATTESTOR') throw cause
      // Files and addresses of ours are nothing for a caller whom nobody knows yet.
      logger.warn('evidence cannot be judged', { evidence: kind, error: messageOf(cause) })
      throw new RpcError('ERR_RPC_UNAVAILABLE', `${kind} evidence cannot be judged at the moment`, { cause })
    }
  }

  return {
    async attest(evidence, csr) {
      const [shown, ...more] = readEvidence(evidence)
      const { expiredSvid } = evidence
      if (more.length > 0 || (!shown && !expiredSvid)) {
        throw new RpcError('ERR_RPC_INVALID', 'show one kind of evidence, or an expired SVID with one more')
      }
      if (!expiredSvid) return attestOne(shown!, csr)
      if (shown?.kind === 'join-token') {
        throw new RpcError('ERR_RPC_INVALID', 'an expired SVID is not renewed with a join token: show one of them')
      }
      const fresh = shown && (await attestOne(shown, csr))
      return fresh?.kind === 'denied' ? fresh : table['expired-svid'].attest(expiredSvid, csr, fresh)
    },
  }
}

function readEvidence({ joinToken, x509Pop, kubernetesToken }: Evidence): Shown[] {
  return [
    ...(joinToken === '' ? [] : [{ kind: 'join-token' as const, evidence: joinToken }]),
    ...(x509Pop ? [{ kind: 'x509-pop' as const, evidence: x509Pop }] : []),
    ...(kubernetesToken ? [{ kind: 'kubernetes' as const, evidence: kubernetesToken }] : []),
  ]
}
