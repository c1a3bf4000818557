import { createHash, X509Certificate } from 'node:crypto'
import { parseCertificatesPem, verifyCertificatePath, type Certificate } from '@picket/identity'
import { RpcError, type SignedChallenge } from '@picket/rpc'
import { messageOf, type Clock } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { readBoundedFile } from '../file.ts'
import { toFact } from './selectors.ts'
import { deny, type Attestor } from './attestor.ts'
import type { Challenges } from './challenge.ts'
import { readSignedChallenge } from './signed-challenge.ts'

const MOST_CERTIFICATES = 5
const MOST_NAMES = 16
const MAX_CA_FILE_BYTES = 1024 * 1024

/**
 * Proof of possession of a certificate out of a PKI that the operator trusts for it (`x509PopCa`). Not an SVID: any name
 * will do, and what it is worth is said by the entries. A CA's own certificate is not taken, nor one whose key may not
 * sign.
 */
export function createX509PopAttestor(
  deps: { readonly clock: Pick<Clock, 'now'>; readonly challenges: Challenges },
  caFile: string,
): Attestor<SignedChallenge> {
  return {
    async attest(evidence, csr) {
      const proven = readSignedChallenge('x509-pop', evidence, csr, deps.challenges, MOST_CERTIFICATES)
      if (proven.kind === 'denied') return proven
      const { leaf, chain } = proven
      if (leaf.isCa || leaf.keyUsage?.includes('digitalSignature') === false) {
        return deny('x509-pop', 'x509-chain', 'the certificate is an authority’s, or its key is not for signatures')
      }
      if (leaf.dnsSans.length + leaf.uriSans.length > MOST_NAMES) {
        return deny('x509-pop', 'x509-chain', `the certificate has more than ${MOST_NAMES} names`)
      }
      const authorities = await loadAuthorities(caFile)
      const verdict = verifyCertificatePath(chain, authorities, new Date(deps.clock.now()))
      if (verdict.kind === 'refused') {
        return deny('x509-pop', 'x509-chain', `the certificate is not accepted: ${verdict.message}`, verdict.rule)
      }
      const subject = `certificate ${fingerprintOf(leaf)}`
      return { kind: 'attested', evidence: 'x509-pop', facts: factsOf(leaf, verdict.path.slice(1)), subject }
    },
  }
}

/** The authorities in the file now, so that one that is changed needs no restart. Throws `ERR_ATTESTOR`. */
export async function loadAuthorities(file: string): Promise<readonly Certificate[]> {
  try {
    return parseCertificatesPem((await readBoundedFile(file, MAX_CA_FILE_BYTES)).toString('utf8'))
  } catch (cause) {
    throw new ControlPlaneError('ERR_ATTESTOR', `x509PopCa ${file}: ${messageOf(cause)}`, { cause, retryable: true })
  }
}

function factsOf(leaf: Certificate, issuers: readonly Certificate[]): readonly string[] {
  const facts = [
    ...commonNamesOf(leaf).flatMap((name) => toFact('x509pop:subject:cn', name)),
    ...toFact('x509pop:serialnumber', leaf.serialNumber),
    ...issuers.flatMap((issuer) => toFact('x509pop:ca:fingerprint', fingerprintOf(issuer))),
    ...leaf.dnsSans.flatMap((name) => toFact('x509pop:san:dns', name.toLowerCase())),
    ...leaf.uriSans.flatMap((uri) => toFact('x509pop:san:uri', uri)),
  ]
  return [...new Set(facts)].sort()
}

function fingerprintOf({ der }: Certificate): string {
  return createHash('sha256').update(der).digest('hex')
}

/** The text of each common name; a certificate has none or one as a rule. */
function commonNamesOf({ der }: Certificate): readonly string[] {
  const { CN } = new X509Certificate(der).toLegacyObject().subject as { CN?: string | readonly string[] }
  const names = typeof CN === 'string' ? [CN] : (CN ?? [])
  if (names.length > MOST_NAMES) throw new RpcError('ERR_RPC_INVALID', `x509-pop: more than ${MOST_NAMES} common names`)
  return names
}
