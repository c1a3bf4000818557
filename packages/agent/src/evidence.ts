import type { PrivateKey, X509Svid } from '@picket/identity'
import { parseCertificatesPem, parsePrivateKeyPem, signMessage, type Certificate } from '@picket/identity'
import {
  toSignedChallenge,
  type AttestRequest,
  type ChallengeUse,
  type ControlPlaneClient,
  type SignedChallenge,
} from '@picket/rpc'
import { messageOf } from '@picket/runtime'
import { AgentError } from './error.ts'
import { readEvidenceFile } from './evidence-file.ts'
import type { EvidenceSource } from './control-plane-source.ts'
import type { JoinTokens } from './join-token.ts'

/** What is shown beside the CSR, once: a challenge is good for a minute. */
export type ShownEvidence = Partial<Omit<AttestRequest, 'csr'>>

/** One way to prove who asks. */
export interface EvidenceKind {
  readonly name: 'x509-pop' | 'kubernetes' | 'join-token'
  /** It proves the same again at any time, and has to where an SVID that came of it has expired. */
  readonly repeatable: boolean
  /** Undefined: there is nothing to show now. Throws `ERR_EVIDENCE_FILE`, `ERR_JOIN_TOKEN_FILE` and what the client throws. */
  show(csr: Buffer, signal: AbortSignal): Promise<ShownEvidence | undefined>
}

/** Everything that this sidecar can show. */
export interface Evidence {
  /** In the order in which it is tried: a certificate, a service account token, a join token. */
  readonly kinds: readonly EvidenceKind[]
  /** An SVID that has expired, by its key; with what can be shown again. */
  showExpired(svid: X509Svid, csr: Buffer, signal: AbortSignal): Promise<ShownEvidence>
  /** Whether there is anything to show that was not shown in vain already. */
  isFresh(): Promise<boolean>
}

export type ChallengeClient = Pick<ControlPlaneClient, 'challenge'>

const MAX_FILE_BYTES = 64 * 1024

export function createEvidence(client: ChallengeClient, source: EvidenceSource, joinTokens: JoinTokens): Evidence {
  const repeatable = [
    ...(source.x509Pop ? [createX509Pop(client, source.x509Pop)] : []),
    ...(source.kubernetesTokenFile === undefined ? [] : [createKubernetes(source.kubernetesTokenFile)]),
  ]
  const joinToken: EvidenceKind = {
    name: 'join-token',
    repeatable: false,
    async show() {
      const token = await joinTokens.take()
      return token && { joinToken: token.reveal() }
    },
  }
  return {
    kinds: [...repeatable, joinToken],
    async showExpired({ chain, privateKey }, csr, signal) {
      const shown = await repeatable[0]?.show(csr, signal)
      const expiredSvid = await sign(client, 'expired-svid', { chain, privateKey }, csr, signal)
      return { ...shown, expiredSvid }
    },
    isFresh: async () => repeatable.length > 0 || joinTokens.isFresh(),
  }
}

function createX509Pop(client: ChallengeClient, files: NonNullable<EvidenceSource['x509Pop']>): EvidenceKind {
  return {
    name: 'x509-pop',
    repeatable: true,
    async show(csr, signal) {
      const chain = await read('x509PopCertificate', files.certificateFile, parseCertificatesPem)
      const privateKey = await read('x509PopKey', files.keyFile, parsePrivateKeyPem)
      return { x509Pop: await sign(client, 'x509-pop', { chain, privateKey }, csr, signal) }
    },
  }
}

function createKubernetes(file: string): EvidenceKind {
  return {
    name: 'kubernetes',
    repeatable: true,
    show: async () => ({ kubernetesToken: await read('kubernetesTokenFile', file, parseServiceAccountToken) }),
  }
}

async function sign(
  client: ChallengeClient,
  use: ChallengeUse,
  { chain, privateKey }: { readonly chain: readonly Certificate[]; readonly privateKey: PrivateKey },
  csr: Buffer,
  signal: AbortSignal,
): Promise<SignedChallenge> {
  const { challenge } = await client.challenge({ signal })
  const signature = signMessage(toSignedChallenge(use, challenge, csr), privateKey)
  return { chain: chain.map(({ der }) => der), challenge, signature }
}

/** Files are read anew each time: they are renewed by others. What is in them stays out of messages. */
async function read<T>(setting: string, file: string, parse: (text: string) => T): Promise<T> {
  try {
    return parse(await readEvidenceFile(file, MAX_FILE_BYTES))
  } catch (cause) {
    throw new AgentError('ERR_EVIDENCE_FILE', `${setting} ${file}: ${messageOf(cause)}`, { cause })
  }
}

function parseServiceAccountToken(text: string): string {
  const token = text.trim()
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token)) {
    throw new TypeError('it is not a service account token')
  }
  return token
}
