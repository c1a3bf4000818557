import {
  IdentityError,
  isMessageSignedBy,
  MAX_CHAIN_CERTIFICATES,
  parseCertificate,
  type Certificate,
  type Csr,
} from '@picket/identity'
import { RpcError, toSignedChallenge, type ChallengeUse, type SignedChallenge } from '@picket/rpc'
import { deny, type EvidenceDenial } from './attestor.ts'
import type { Challenges } from './challenge.ts'

/** A chain whose leaf's key signed for this CSR just now. Whether the chain is worth anything is another question. */
export interface ProvenChain {
  readonly kind: 'proven'
  readonly leaf: Certificate
  readonly chain: readonly Certificate[]
}

/** Throws `ERR_RPC_INVALID` for certificates that are none, or too many. */
export function readSignedChallenge(
  use: ChallengeUse,
  { chain: encoded, challenge, signature }: SignedChallenge,
  csr: Csr,
  challenges: Challenges,
  mostCertificates = MAX_CHAIN_CERTIFICATES,
): ProvenChain | EvidenceDenial {
  if (encoded.length > mostCertificates) {
    throw new RpcError('ERR_RPC_INVALID', `${use}: more than ${mostCertificates} certificates`)
  }
  const chain = encoded.map((der) => readCertificate(use, der))
  const [leaf] = chain
  if (!leaf) throw new RpcError('ERR_RPC_INVALID', `${use}: there is no certificate`)
  if (!challenges.isGood(challenge)) {
    return deny(use, 'challenge', 'the challenge is not one of this control plane, or over: ask for another')
  }
  if (!isMessageSignedBy(leaf.publicKeyInfo, toSignedChallenge(use, challenge, csr.der), signature)) {
    return deny(use, 'proof-of-possession', 'the challenge is not signed with the key of the certificate')
  }
  return { kind: 'proven', leaf, chain }
}

function readCertificate(use: ChallengeUse, der: Buffer): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    if (!(cause instanceof IdentityError)) throw cause
    throw new RpcError('ERR_RPC_INVALID', `${use}: ${cause.message}`, { cause, reason: cause.code })
  }
}
