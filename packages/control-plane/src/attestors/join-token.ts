import { createHash } from 'node:crypto'
import type { JoinTokens } from './join-tokens.ts'
import { deny, type Attestor } from './attestor.ts'

/** A join token proves what its maker wrote into it. It is bound to the first key that uses it. */
export function createJoinTokenAttestor(tokens: Pick<JoinTokens, 'check'>): Attestor<string> {
  return {
    async attest(text, csr) {
      const keySha256 = createHash('sha256').update(csr.publicKeyInfo.der).digest('hex')
      const token = await tokens.check(text, keySha256)
      if (typeof token === 'string') {
        return deny('join-token', token, 'the join token is not valid: wrong, used or expired')
      }
      const { id, facts, attestationId } = token
      const attested = { kind: 'attested', evidence: 'join-token', facts, subject: `join token ${id}` } as const
      return attestationId === undefined ? { ...attested, token: { id, keySha256 } } : { ...attested, attestationId }
    },
  }
}
