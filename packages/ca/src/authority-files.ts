import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundle,
  encodeTrustBundlePem,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseTrustDomain,
  toKeyPair,
  toPublicKeyInfo,
  type Certificate,
  type PrivateKey,
  type TrustBundle,
} from '@picket/identity'
import { messageOf, readSealedFile, writeFileAtomic, writeSealedFile, type SealKey } from '@picket/runtime'
import { CaError } from './error.ts'

/** An authority on disk: its certificate and bundle for everybody, its key sealed. */
export interface AuthorityFiles {
  readonly certificate: Certificate
  readonly privateKey: PrivateKey
}

const NAMES = {
  certificate: 'authority.pem',
  key: 'authority.key.sealed',
  bundlePem: 'trust-bundle.pem',
  bundleJson: 'trust-bundle.json',
  journal: 'issuance-journal.ndjson',
} as const
const KEY_PURPOSE = 'x509-authority-key'

export function journalPath(directory: string): string {
  return join(directory, NAMES.journal)
}

/**
 * Writes a new authority, the key first and the certificate last, so that a crash in between leaves no authority but
 * only a file that the next try refuses to overwrite. Throws `ERR_AUTHORITY_EXISTS` when any of the files is there.
 */
export async function writeAuthority(
  directory: string,
  files: AuthorityFiles,
  bundle: TrustBundle,
  sealKey: SealKey,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const present = Object.values(NAMES).find((name) => existsSync(join(directory, name)))
  if (present) {
    const wayOut = 'choose another folder, or move this one away'
    throw new CaError('ERR_AUTHORITY_EXISTS', `${join(directory, present)} exists and is not overwritten: ${wayOut}`)
  }
  const key = Buffer.from(encodePrivateKeyPem(files.privateKey))
  await writeSealedFile(join(directory, NAMES.key), key, KEY_PURPOSE, sealKey)
  await writeFileAtomic(join(directory, NAMES.bundlePem), encodeTrustBundlePem(bundle))
  await writeFileAtomic(join(directory, NAMES.bundleJson), encodeTrustBundle(bundle))
  await writeFileAtomic(join(directory, NAMES.certificate), encodeCertificatesPem([files.certificate]))
}

/** Reads, opens and checks that the parts belong together. Throws `CaError`, `RuntimeError` for the seal; changes nothing. */
export async function readAuthority(directory: string, sealKey: SealKey): Promise<AuthorityFiles> {
  const path = join(directory, NAMES.certificate)
  if (!existsSync(path)) {
    throw new CaError('ERR_AUTHORITY_MISSING', `there is no authority in ${directory}: make one with "picket ca init"`)
  }
  const certificate = await readCertificate(path)
  const sealed = await readSealedFile(join(directory, NAMES.key), KEY_PURPOSE, sealKey)
  const privateKey = parsePrivateKeyPem(sealed.toString('utf8'))
  sealed.fill(0)
  if (!toPublicKeyInfo(toKeyPair(privateKey).publicKey).der.equals(certificate.publicKeyInfo.der)) {
    throw new CaError('ERR_AUTHORITY_FILES', `the key in ${directory} is not that of ${NAMES.certificate}`)
  }
  return { certificate, privateKey }
}

async function readCertificate(path: string): Promise<Certificate> {
  let parsed: Certificate[]
  try {
    parsed = parseCertificatesPem(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new CaError('ERR_AUTHORITY_FILES', `${path}: ${messageOf(cause)}`, { cause })
  }
  const [certificate, ...more] = parsed
  if (!certificate || more.length > 0 || !certificate.isCa || !certificate.uriSans[0]) {
    throw new CaError('ERR_AUTHORITY_FILES', `${path} is not one authority certificate`)
  }
  return certificate
}

/** The bundle of a single self-signed authority. Its sequence is the instant of its making, which only grows. */
export function bundleOf(certificate: Certificate): TrustBundle {
  const [uri = ''] = certificate.uriSans
  return {
    trustDomain: parseTrustDomain(uri.slice('spiffe://'.length)),
    x509Authorities: [certificate],
    sequence: BigInt(certificate.notBefore.getTime()),
    refreshHintSeconds: 300,
  }
}
