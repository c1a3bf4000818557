import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSpiffeId, parseTrustDomain, type Certificate, type PrivateKey } from '@picket/identity'
import type { Authority, AuthorityDeps, InitAuthorityOptions, OpenAuthorityOptions } from './authority.ts'
import { createDriver } from './authority-driver.ts'
import {
  claimNewFolder,
  journalPath,
  readAuthority,
  readLegacy,
  readState,
  STATE_FILE,
  writeAuthority,
  writeState,
  type LoadedAuthority,
} from './authority-files.ts'
import { createKeeper } from './authority-keeper.ts'
import { makeAuthority } from './authority-making.ts'
import { emptySlots, next, type AuthoritySlots } from './authority-slots.ts'
import { CaError } from './error.ts'
import { claimFolder } from './folder-claim.ts'
import { openFolder, type Folder } from './folder.ts'
import { openJournal } from './journal.ts'
import {
  DEFAULT_AUTHORITY_ALGORITHM,
  DEFAULT_AUTHORITY_TTL_MS,
  DEFAULT_JWT_AUTHORITY_ALGORITHM,
  DEFAULT_SVID_ALGORITHM,
  isKeyAlgorithm,
} from './profile.ts'

interface Opened {
  readonly slots: AuthoritySlots
  readonly loaded: readonly LoadedAuthority[]
}

/**
 * Makes the trust domain's first authorities in `directory`, one of each kind. Overwrites nothing: throws
 * `ERR_AUTHORITY_EXISTS`. Throws `ERR_ISSUE_REQUEST` for a time to live that no certificate can have, `ERR_UPSTREAM`.
 */
export async function initAuthority(
  directory: string,
  options: InitAuthorityOptions,
  deps: AuthorityDeps,
): Promise<Authority> {
  const { trustDomain, ttlMs = DEFAULT_AUTHORITY_TTL_MS, upstream, sealKey } = options
  const { algorithm = DEFAULT_AUTHORITY_ALGORITHM, jwtAlgorithm = DEFAULT_JWT_AUTHORITY_ALGORITHM } = options
  const plan = { trustDomain, ttlMs, upstream }
  const made = [
    await makeAuthority({ ...plan, kind: 'x509', algorithm }, deps),
    await makeAuthority({ ...plan, kind: 'jwt', algorithm: jwtAlgorithm }, deps),
  ]
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const folder = openFolder(directory)
  await claimNewFolder(folder)
  await writeFirst(folder, emptySlots(trustDomain.name, DEFAULT_SVID_ALGORITHM), made, options, deps)
  return openAuthority(directory, { sealKey, authorityTtlMs: ttlMs, ...(upstream && { upstream }) }, deps)
}

/**
 * Opens what `initAuthority` made, or what the version before it made, which is taken over. A wrong sealing key or
 * damaged files are errors that change nothing; what a crash left is finished or swept.
 */
export async function openAuthority(
  directory: string,
  options: OpenAuthorityOptions,
  deps: AuthorityDeps,
): Promise<Authority> {
  return openAuthorityIn(openFolder(directory), options, deps)
}

/** Over any folder: tests give one that fails or dies at a given step. */
export async function openAuthorityIn(
  folder: Folder,
  options: OpenAuthorityOptions,
  deps: AuthorityDeps,
): Promise<Authority> {
  const { sealKey, authorityTtlMs = DEFAULT_AUTHORITY_TTL_MS, upstream } = options
  await using opening = new AsyncDisposableStack()
  if ((await folder.list()).length === 0) throw missing(folder)
  opening.use(await claimFolder(folder.path))
  const opened = (await readAll(folder, options)) ?? (await takeOver(folder, options, deps))
  if (!opened) throw missing(folder)
  const journal = opening.use(await openJournal(journalPath(folder)))
  const trustDomain = parseTrustDomain(opened.slots.trustDomain)
  const keeper = createKeeper(folder, opened, { trustDomain, sealKey }, deps.clock)
  await keeper.settle()
  return createDriver(keeper, journal, opening.move(), { trustDomain, authorityTtlMs, upstream }, deps)
}

async function readAll(folder: Folder, { sealKey }: OpenAuthorityOptions): Promise<Opened | undefined> {
  const slots = await readState(folder)
  if (!slots) return undefined
  const { id } = toTrustDomain(folder, slots)
  const loaded: LoadedAuthority[] = []
  for (const slot of slots.authorities) loaded.push(await readAuthority(folder, slot, id, sealKey))
  return { slots, loaded }
}

function toTrustDomain(folder: Folder, slots: AuthoritySlots): ReturnType<typeof parseTrustDomain> {
  try {
    return parseTrustDomain(slots.trustDomain)
  } catch (cause) {
    throw new CaError('ERR_AUTHORITY_FILES', `${join(folder.path, STATE_FILE)} names no trust domain`, { cause })
  }
}

/** The one authority of the version before becomes the active one; a JWT authority is made beside it. */
async function takeOver(
  folder: Folder,
  options: OpenAuthorityOptions,
  deps: AuthorityDeps,
): Promise<Opened | undefined> {
  const legacy = await readLegacy(folder, options.sealKey)
  if (!legacy) return undefined
  const { trustDomain } = parseSpiffeId(legacy.certificate.uriSans[0]!)
  const ttlMs = options.authorityTtlMs ?? DEFAULT_AUTHORITY_TTL_MS
  const plan = { trustDomain, kind: 'jwt', algorithm: DEFAULT_JWT_AUTHORITY_ALGORITHM, ttlMs } as const
  const made = [toLoaded(legacy), await makeAuthority(plan, deps)]
  return writeFirst(folder, emptySlots(trustDomain.name, DEFAULT_SVID_ALGORITHM), made, options, deps)
}

function toLoaded({ certificate, privateKey }: { certificate: Certificate; privateKey: PrivateKey }): LoadedAuthority {
  const { notBefore, notAfter, publicKey, publicKeyInfo } = certificate
  const { keyId, algorithm } = publicKeyInfo
  if (!isKeyAlgorithm(algorithm)) throw new CaError('ERR_AUTHORITY_FILES', `${algorithm} is no key of an authority`)
  const slot = {
    kind: 'x509',
    keyId,
    algorithm,
    state: 'prepared',
    tainted: false,
    preparedAt: notBefore,
    activatedAt: undefined,
    notBefore,
    notAfter,
    upstream: false,
  } as const
  return { slot, certificate, chain: [], roots: [certificate], publicKey, privateKey }
}

/** The first state of a folder, in which everything that was made is active at once: nobody knows another. */
async function writeFirst(
  folder: Folder,
  empty: AuthoritySlots,
  made: readonly LoadedAuthority[],
  { sealKey }: Pick<OpenAuthorityOptions, 'sealKey'>,
  { clock }: AuthorityDeps,
): Promise<Opened> {
  const now = new Date(clock.now())
  let slots = empty
  for (const authority of made) {
    await writeAuthority(folder, authority, sealKey)
    slots = next(slots, { kind: 'prepare', slot: authority.slot }, now)
    slots = next(slots, { kind: 'activate', of: authority.slot.kind }, now)
  }
  await writeState(folder, slots)
  const loaded = slots.authorities.map((slot) => ({ ...made.find((one) => one.slot.keyId === slot.keyId)!, slot }))
  return { slots, loaded }
}

function missing({ path }: Folder): CaError {
  return new CaError('ERR_AUTHORITY_MISSING', `there is no authority in ${path}: make one with "picket ca init"`)
}
