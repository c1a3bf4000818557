import {
  createBundleSource,
  createCertificate,
  lintX509Svid,
  parseCertificate,
  verifyX509Svid,
  type Certificate,
  type CertificateTemplate,
  type PrivateKey,
  type SpiffeId,
  type TrustBundle,
} from '@picket/identity'
import { messageOf } from '@picket/runtime'
import { CaError } from './error.ts'

/**
 * Signs, then reads its own output back as a stranger would: linted by the issuer's rules and verified against the
 * bundle by the same code that every peer runs. What fails is not returned, whoever is to blame.
 */
export function signSvid(
  template: CertificateTemplate,
  key: PrivateKey,
  expected: { id: SpiffeId; bundle: TrustBundle; now: Date },
): Certificate {
  const certificate = readOwnOutput(createCertificate(template, key))
  const faults = lintX509Svid(certificate)
  if (faults.length > 0) throw new CaError('ERR_LINT', `the certificate made breaks the profile: ${faults.join('; ')}`)
  const verdict = verifyX509Svid([certificate], createBundleSource([expected.bundle]), expected.now)
  if (verdict.kind === 'refused')
    throw new CaError('ERR_LINT', `the certificate made does not verify: ${verdict.message}`)
  if (verdict.id.uri !== expected.id.uri || !certificate.publicKeyInfo.der.equals(template.publicKeyInfo)) {
    throw new CaError('ERR_LINT', 'the certificate made is of another identity or key')
  }
  return certificate
}

function readOwnOutput(der: Buffer): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw new CaError('ERR_LINT', `the certificate made cannot be read: ${messageOf(cause)}`, { cause })
  }
}
