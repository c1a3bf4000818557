import { createPublicKey, type KeyObject } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  parseCertificatesPem,
  parsePrivateKeyPem,
  toKeyPair,
  toPublicKeyInfo,
  type Certificate,
  type PrivateKey,
} from '@picket/identity'
import { codeOf, messageOf, RuntimeError, seal, unseal, type SealKey } from '@picket/runtime'
import type { AuthorityKind, AuthoritySlot, AuthoritySlots } from './authority-slots.ts'
import { encodeAuthorityState, parseAuthorityState } from './authority-state.ts'
import { CaError } from './error.ts'
import type { Folder } from './folder.ts'
import { findIssuingPath } from './issuing-path.ts'

/** An authority as it is in memory. */
export interface LoadedAuthority {
  readonly slot: AuthoritySlot
  /** Of an X.509 authority. */
  readonly certificate: Certificate | undefined
  /** What an SVID's chain needs beside the SVID: nothing when the authority is itself in the bundle. */
  readonly chain: readonly Certificate[]
  /** What the bundle holds on its account: itself, or the roots above it. */
  readonly roots: readonly Certificate[]
  readonly publicKey: KeyObject
  /** Gone once the authority is old. */
  readonly privateKey: PrivateKey | undefined
}

export const STATE_FILE = 'authorities.json'
export const BUNDLE_PEM = 'trust-bundle.pem'
export const BUNDLE_JSON = 'trust-bundle.json'
const JOURNAL = 'issuance-journal.ndjson'
/** What versions before two slots had. */
export const LEGACY = { certificate: 'authority.pem', key: 'authority.key.sealed' } as const
const OF_ONE_AUTHORITY = /^(x509|jwt)-([0-9a-f]{40})\.(?:pem|roots\.pem|key\.sealed)$/
const LEFT_BY_A_CRASH = /\.\d+\.\d+\.new$/

export function journalPath({ path }: Folder): string {
  return join(path, JOURNAL)
}

const certificateFile = ({ kind, keyId }: AuthoritySlot): string => `${kind}-${keyId}.pem`
const rootsFile = ({ kind, keyId }: AuthoritySlot): string => `${kind}-${keyId}.roots.pem`
export const keyFile = ({ kind, keyId }: AuthoritySlot): string => `${kind}-${keyId}.key.sealed`
const purposeOf = (kind: AuthorityKind): string => `${kind}-authority-key`

/** Makes the folder's journal, by a call that only one of several can win. Throws `ERR_AUTHORITY_EXISTS`. */
export async function claimNewFolder(folder: Folder): Promise<void> {
  const names = new Set<string>([STATE_FILE, BUNDLE_PEM, BUNDLE_JSON, JOURNAL, ...Object.values(LEGACY)])
  const present = (await folder.list()).find((name) => names.has(name) || OF_ONE_AUTHORITY.test(name))
  if (present !== undefined) throw exists(join(folder.path, present))
  const path = journalPath(folder)
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

/** Undefined when there is no state file. Throws `ERR_AUTHORITY_FILES` on a damaged one. */
export async function readState(folder: Folder): Promise<AuthoritySlots | undefined> {
  const bytes = await folder.read(STATE_FILE)
  if (!bytes) return undefined
  try {
    return parseAuthorityState(bytes.toString())
  } catch (cause) {
    const wayOut = 'restore the whole folder from a backup, or move it away and start anew with "picket ca init"'
    throw fault(`${join(folder.path, STATE_FILE)} is damaged: ${messageOf(cause)}; ${wayOut}`, cause)
  }
}

export async function writeState(folder: Folder, slots: AuthoritySlots): Promise<void> {
  await folder.write(STATE_FILE, encodeAuthorityState(slots), 0o600)
}

/** Writes everything of one authority but its place among the others. */
export async function writeAuthority(folder: Folder, authority: LoadedAuthority, sealKey: SealKey): Promise<void> {
  const { slot, certificate, chain, roots, publicKey, privateKey } = authority
  if (privateKey) {
    const pem = Buffer.from(encodePrivateKeyPem(privateKey))
    await folder.write(keyFile(slot), seal(pem, purposeOf(slot.kind), sealKey), 0o600)
  }
  if (slot.upstream) await folder.write(rootsFile(slot), encodeCertificatesPem(roots), 0o644)
  const certificates = slot.upstream ? chain : certificate && [certificate]
  const pem = certificates
    ? encodeCertificatesPem(certificates)
    : publicKey.export({ type: 'spki', format: 'pem' }).toString()
  await folder.write(certificateFile(slot), pem, 0o644)
}

/** Reads one authority and checks that its parts belong together and are what the state says. Changes nothing. */
export async function readAuthority(
  folder: Folder,
  slot: AuthoritySlot,
  trustDomainId: string,
  sealKey: SealKey,
): Promise<LoadedAuthority> {
  const publicParts = slot.kind === 'x509' ? await readX509(folder, slot, trustDomainId) : await readJwt(folder, slot)
  const privateKey = slot.state === 'old' ? undefined : await readKey(folder, keyFile(slot), slot.kind, sealKey)
  if (privateKey && !isKeyOf(privateKey, publicParts.publicKey)) {
    throw fault(`the key in ${join(folder.path, keyFile(slot))} is not that of ${certificateFile(slot)}`)
  }
  return { slot, ...publicParts, privateKey }
}

type PublicParts = Omit<LoadedAuthority, 'slot' | 'privateKey'>

async function readX509(folder: Folder, slot: AuthoritySlot, trustDomainId: string): Promise<PublicParts> {
  const path = join(folder.path, certificateFile(slot))
  const chain = await readCertificates(folder, certificateFile(slot))
  const certificate = chain[0]!
  const roots = slot.upstream ? await readCertificates(folder, rootsFile(slot)) : [certificate]
  const isWhole =
    isAuthority(certificate, trustDomainId) &&
    certificate.publicKeyInfo.keyId === slot.keyId &&
    certificate.notAfter.getTime() === slot.notAfter.getTime() &&
    (slot.upstream || chain.length === 1) &&
    findIssuingPath(chain, roots) !== undefined
  if (!isWhole) throw fault(`${path} is not the certificate of that authority, or was altered`)
  return { certificate, chain: slot.upstream ? chain : [], roots, publicKey: certificate.publicKey }
}

async function readJwt(folder: Folder, slot: AuthoritySlot): Promise<PublicParts> {
  const path = join(folder.path, certificateFile(slot))
  const pem = await readNeeded(folder, certificateFile(slot))
  try {
    const publicKey = createPublicKey({ key: pem, format: 'pem' })
    if (toPublicKeyInfo(publicKey).keyId !== slot.keyId) throw new TypeError('it is another key')
    return { certificate: undefined, chain: [], roots: [], publicKey }
  } catch (cause) {
    throw fault(`${path} is not the public key of that authority: ${messageOf(cause)}`, cause)
  }
}

/** What the version before left: one X.509 authority. Undefined when there is none. */
export async function readLegacy(
  folder: Folder,
  sealKey: SealKey,
): Promise<{ certificate: Certificate; privateKey: PrivateKey } | undefined> {
  if (!(await folder.read(LEGACY.certificate))) return undefined
  const path = join(folder.path, LEGACY.certificate)
  const [certificate, ...more] = await readCertificates(folder, LEGACY.certificate)
  const id = certificate?.uriSans[0] ?? ''
  if (
    !certificate ||
    more.length > 0 ||
    !isAuthority(certificate, id) ||
    !findIssuingPath([certificate], [certificate])
  ) {
    throw fault(`${path} is not the certificate of one authority, or was altered`)
  }
  const privateKey = await readKey(folder, LEGACY.key, 'x509', sealKey)
  if (!isKeyOf(privateKey, certificate.publicKey)) {
    throw fault(`the key in ${folder.path} is not that of ${LEGACY.certificate}`)
  }
  return { certificate, privateKey }
}

/** Removes what belongs to no authority of the state: left by a crash, replaced, revoked, or a key of no more use. */
export async function sweep(folder: Folder, { authorities }: AuthoritySlots): Promise<void> {
  const kept = new Set(
    authorities.flatMap((slot) => [
      certificateFile(slot),
      ...(slot.upstream ? [rootsFile(slot)] : []),
      ...(slot.state === 'old' ? [] : [keyFile(slot)]),
    ]),
  )
  const legacy = new Set<string>(Object.values(LEGACY))
  for (const name of await folder.list()) {
    const isOurs = OF_ONE_AUTHORITY.test(name) || LEFT_BY_A_CRASH.test(name) || legacy.has(name)
    if (isOurs && !kept.has(name)) await folder.remove(name)
  }
}

/** An authority named by the trust domain alone. */
function isAuthority(certificate: Certificate, trustDomainId: string): boolean {
  return certificate.isCa && certificate.uriSans.length === 1 && certificate.uriSans[0] === trustDomainId
}

export function isKeyOf(privateKey: PrivateKey, publicKey: KeyObject): boolean {
  return toKeyPair(privateKey).publicKey.equals(publicKey)
}

async function readCertificates(folder: Folder, name: string): Promise<readonly Certificate[]> {
  const pem = await readNeeded(folder, name)
  try {
    return parseCertificatesPem(pem)
  } catch (cause) {
    throw fault(`${join(folder.path, name)}: ${messageOf(cause)}`, cause)
  }
}

async function readNeeded(folder: Folder, name: string): Promise<string> {
  const bytes = await folder.read(name)
  if (!bytes) throw fault(`${join(folder.path, name)} is missing: restore the whole folder from a backup`)
  return bytes.toString()
}

async function readKey(folder: Folder, name: string, kind: AuthorityKind, sealKey: SealKey): Promise<PrivateKey> {
  const sealed = await folder.read(name)
  const path = join(folder.path, name)
  if (!sealed) throw fault(`the authority's key is missing: ${path}`)
  try {
    return parsePrivateKeyPem(unseal(sealed, purposeOf(kind), sealKey).toString())
  } catch (cause) {
    throw new RuntimeError('ERR_SEALED_FILE', `${path}: ${messageOf(cause)}`, { cause })
  }
}

function fault(problem: string, cause?: unknown): CaError {
  return new CaError('ERR_AUTHORITY_FILES', problem, { cause })
}
