import {
  createBundleSource,
  createCertificate,
  parseCertificate,
  parseSpiffeId,
  toSpiffeId,
  verifyX509Svid,
  type CertificateTemplate,
} from '@picket/identity'
import type { Random } from '@picket/runtime'
import type { LoadedAuthority } from './authority-files.ts'
import type { ExpectedSvid } from './signer.ts'
import { createSvidTemplate } from './template.ts'

/** An SVID that never leaves: for the authority's own key, to see what an SVID of this authority is like. */
export interface SampleSvid {
  readonly expected: ExpectedSvid
  readonly template: CertificateTemplate
  /** The certificate, DER. */
  readonly der: Buffer
}

export function createSampleSvid({ slot, certificate, privateKey }: LoadedAuthority, random: Random): SampleSvid {
  const { trustDomain } = parseSpiffeId(certificate!.uriSans[0]!)
  const request = { id: toSpiffeId(trustDomain, '/sample'), publicKeyInfo: certificate!.publicKeyInfo, dnsNames: [] }
  const expected = { request, notBefore: slot.notBefore, notAfter: slot.notAfter }
  const template = createSvidTemplate(expected, certificate!, random)
  return { expected, template, der: createCertificate(template, privateKey!) }
}

/** Why no peer would accept what this authority issues, if so: its chain and roots, at the instant that it was made. */
export function faultOfSample({ der }: SampleSvid, { slot, chain, roots }: LoadedAuthority): string | undefined {
  const leaf = parseCertificate(der)
  const { trustDomain } = parseSpiffeId(leaf.uriSans[0]!)
  const bundle = {
    trustDomain,
    x509Authorities: roots,
    jwtAuthorities: [],
    sequence: 0n,
    refreshHintSeconds: undefined,
  }
  const verdict = verifyX509Svid([leaf, ...chain], createBundleSource([bundle]), slot.preparedAt)
  return verdict.kind === 'refused' ? verdict.message : undefined
}
