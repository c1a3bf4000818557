import { encodeTrustBundle, encodeTrustBundlePem, toJwtAuthority } from '@picket/identity'
import type { TrustBundle, TrustDomain } from '@picket/identity'
import { createWatch, messageOf, type Clock, type SealKey, type Watch } from '@picket/runtime'
import type { AuthorityRecord } from './authority.ts'
import { BUNDLE_JSON, BUNDLE_PEM, sweep, writeAuthority, writeState, type LoadedAuthority } from './authority-files.ts'
import { next, type AuthorityKind, type AuthoritySlots, type SlotEvent } from './authority-slots.ts'
import { CaError } from './error.ts'
import type { Folder } from './folder.ts'
import { REFRESH_HINT_SECONDS } from './profile.ts'

/** The authorities in memory and on the disk, in step. */
export interface AuthorityKeeper {
  readonly slots: AuthoritySlots
  readonly bundle: Watch<TrustBundle>
  readonly authorities: Watch<readonly AuthorityRecord[]>
  activeOf(kind: AuthorityKind): LoadedAuthority
  /** Changes do not overlap: the caller sees to that. Throws `ERR_AUTHORITY_STATE`, `ERR_AUTHORITY_FILES`. */
  apply(event: SlotEvent, made?: LoadedAuthority): Promise<void>
  /** Finishes what a crash or a full disk left undone. */
  settle(): Promise<void>
}

/**
 * Carries the slots' changes out. Each change writes new files first, then `authorities.json`, which is the moment that it
 * counts; then memory follows, and then the files that only repeat what the state says (the bundles) or that nothing
 * needs any more. A change that fails or is killed before the state is written has not happened; one that fails after it
 * has, and the next change or start finishes it.
 */
export function createKeeper(
  folder: Folder,
  initial: { readonly slots: AuthoritySlots; readonly loaded: readonly LoadedAuthority[] },
  { trustDomain, sealKey }: { readonly trustDomain: TrustDomain; readonly sealKey: SealKey },
  clock: Pick<Clock, 'now'>,
): AuthorityKeeper {
  let { slots, loaded } = initial
  let isSettled = false
  const bundle = createWatch(toBundle(trustDomain, slots, loaded))
  const authorities = createWatch(toRecords(loaded))

  async function settle(): Promise<void> {
    if (isSettled) return
    await writeIfChanged(folder, BUNDLE_JSON, encodeTrustBundle(bundle.value))
    await writeIfChanged(folder, BUNDLE_PEM, encodeTrustBundlePem(bundle.value))
    await sweep(folder, slots)
    isSettled = true
  }

  async function apply(event: SlotEvent, made: LoadedAuthority | undefined): Promise<void> {
    const changed = next(slots, event, new Date(clock.now()))
    if (changed !== slots) {
      if (made) await writeAuthority(folder, made, sealKey)
      await writeState(folder, changed)
      isSettled = false
      commit(changed, made)
    }
    await settle()
  }

  function commit(changed: AuthoritySlots, made: LoadedAuthority | undefined): void {
    const hasNewBundle = changed.sequence !== slots.sequence
    loaded = follow(changed, made ? [...loaded, made] : loaded)
    slots = changed
    if (hasNewBundle) bundle.set(toBundle(trustDomain, slots, loaded))
    authorities.set(toRecords(loaded))
  }

  return {
    get slots() {
      return slots
    },
    bundle,
    authorities,
    activeOf: (kind) => loaded.find(({ slot }) => slot.kind === kind && slot.state === 'active')!,
    apply: (event, made) => onDisk(apply(event, made)),
    settle: () => onDisk(settle()),
  }
}

/** What is known of the authorities that are left; an old one's key is forgotten. */
function follow({ authorities }: AuthoritySlots, known: readonly LoadedAuthority[]): LoadedAuthority[] {
  return authorities.map((slot) => {
    const one = known.find((candidate) => candidate.slot.kind === slot.kind && candidate.slot.keyId === slot.keyId)!
    return { ...one, slot, privateKey: slot.state === 'old' ? undefined : one.privateKey }
  })
}

async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (cause instanceof CaError) throw cause
    const message = `the authorities' files cannot be written: ${messageOf(cause)}`
    throw new CaError('ERR_AUTHORITY_FILES', message, { cause, retryable: true })
  }
}

async function writeIfChanged(folder: Folder, name: string, text: string): Promise<void> {
  if ((await folder.read(name))?.toString() !== text) await folder.write(name, text, 0o644)
}

function toRecords(loaded: readonly LoadedAuthority[]): readonly AuthorityRecord[] {
  return Object.freeze(loaded.map(({ slot, certificate }) => Object.freeze({ ...slot, certificate })))
}

/** A root that several authorities are under is in it once. */
function toBundle(trustDomain: TrustDomain, slots: AuthoritySlots, loaded: readonly LoadedAuthority[]): TrustBundle {
  const roots = new Map(loaded.flatMap(({ roots: own }) => own.map((root) => [root.fingerprintSha256, root])))
  const jwtAuthorities = loaded
    .filter(({ slot }) => slot.kind === 'jwt')
    .map(({ slot: { keyId }, publicKey }) => toJwtAuthority(keyId, publicKey))
  return Object.freeze({
    trustDomain,
    x509Authorities: Object.freeze([...roots.values()]),
    jwtAuthorities: Object.freeze(jwtAuthorities),
    sequence: slots.sequence,
    refreshHintSeconds: REFRESH_HINT_SECONDS,
  })
}
