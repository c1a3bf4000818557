import { existsSync } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundle,
  encodeTrustBundlePem,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseSpiffeId,
  toKeyPair,
  toPublicKeyInfo,
  type Certificate,
  type PrivateKey,
  type TrustBundle,
} from '@picket/identity'
import { codeOf, messageOf, readSealedFile, writeFileAtomic, writeSealedFile, type SealKey } from '@picket/runtime'
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
 * Writes a new authority. The journal comes first, made by a call that only one of several can win, and the certificate
 * last, so that a crash in between leaves no authority but only files that the next try refuses to overwrite. Throws
 * `ERR_AUTHORITY_EXISTS` when any of the files is there.
 */
export async function writeAuthority(
  directory: string,
  files: AuthorityFiles,
  bundle: TrustBundle,
  sealKey: SealKey,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const present = Object.values(NAMES).find((name) => existsSync(join(directory, name)))
  if (present) throw exists(join(directory, present))
  await claim(journalPath(directory))
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
  const privateKey = await readKey(join(directory, NAMES.key), sealKey)
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
  if (!certificate || more.length > 0 || !isAuthority(certificate)) {
    throw new CaError('ERR_AUTHORITY_FILES', `${path} is not the certificate of one authority, or was altered`)
  }
  return certificate
}

/** Signed by itself, so that altered dates or names are found, and named by a trust domain alone. */
function isAuthority(certificate: Certificate): boolean {
  try {
    const { path } = parseSpiffeId(certificate.uriSans[0] ?? '')
    return path === '' && certificate.isCa && certificate.isSignedWith(certificate.publicKey)
  } catch {
    return false
  }
}

async function readKey(path: string, sealKey: SealKey): Promise<PrivateKey> {
  try {
    return parsePrivateKeyPem((await readSealedFile(path, KEY_PURPOSE, sealKey)).toString())
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause
    throw new CaError('ERR_AUTHORITY_FILES', `the authority's key is missing: ${path}`, { cause })
  }
}

/** Creates the file or fails: of two calls at once, one. */
async function claim(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close()
  } catch (cause) {
    throw codeOf(cause) === 'EEXIST' ? exists(path) : cause
  }
}

function exists(path: string): CaError {
  const wayOut = 'choose another folder, or move this one away'
  return new CaError('ERR_AUTHORITY_EXISTS', `${path} exists and is not overwritten: ${wayOut}`)
}

/** The bundle of a single self-signed authority. Its sequence is the instant of its making, which only grows. */
export function bundleOf(certificate: Certificate): TrustBundle {
  return {
    trustDomain: parseSpiffeId(certificate.uriSans[0] ?? '').trustDomain,
    x509Authorities: [certificate],
    jwtAuthorities: [],
    sequence: BigInt(certificate.notBefore.getTime()),
    refreshHintSeconds: 300,
  }
}
