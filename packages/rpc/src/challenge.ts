import { createHash } from 'node:crypto'

/** What a certificate's key is proved for; the number is the field's in `AttestRequest`. */
export type ChallengeUse = 'x509-pop' | 'expired-svid'

const CONTEXT = Buffer.from('picket attest 1\0')
const FIELD = { 'x509-pop': 3, 'expired-svid': 5 } as const satisfies Record<ChallengeUse, number>

/** The bytes that are signed: they bind the proof to its use, to a fresh challenge and to one CSR. */
export function toSignedChallenge(use: ChallengeUse, challenge: Buffer, csr: Buffer): Buffer {
  const head = Buffer.from([FIELD[use], challenge.length >> 8, challenge.length & 0xff])
  return Buffer.concat([CONTEXT, head, challenge, createHash('sha256').update(csr).digest()])
}
