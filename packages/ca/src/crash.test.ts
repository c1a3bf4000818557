import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  createBundleSource,
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundle,
  encodeTrustBundlePem,
  generateKeyPair,
  parseCsr,
  parseSpiffeId,
  verifyJwtSvid,
  verifyX509Svid,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import {
  generateSealKeyText,
  parseSealKey,
  systemClock,
  systemRandom,
  writeSealedFile,
  type SealKey,
} from '@picket/runtime'
import type { Authority } from './authority.ts'
import type { AuthorityKind } from './authority-slots.ts'
import { openFolder, type Folder } from './folder.ts'
import { initAuthority, openAuthority, openAuthorityIn } from './open-authority.ts'
import { inTestFolder } from './testing.ts'
import type { CrashOrder } from './testing-crash.ts'

const CHILD = fileURLToPath(new URL('testing-crash.ts', import.meta.url))
const deps = { clock: systemClock, random: systemRandom }
const id = parseSpiffeId('spiffe://bank.test/payments')
const csr = parseCsr(createCsr(generateKeyPair(), id))

interface Given {
  readonly folder: string
  readonly sealKeyText: string
  readonly sealKey: SealKey
  /** What every try begins with. */
  readonly base: string
}

async function withBase(
  make: (directory: string, sealKey: SealKey) => Promise<void>,
  body: (given: Given) => Promise<void>,
) {
  await inTestFolder(async (folder) => {
    const sealKeyText = generateSealKeyText()
    const given = { folder, sealKeyText, sealKey: parseSealKey(sealKeyText), base: join(folder, 'base') }
    await make(given.base, given.sealKey)
    await body(given)
  })
}

const statesOf = ({ authorities }: Authority): string =>
  authorities.value.map(({ kind, keyId, state, tainted }) => `${kind} ${keyId} ${state} ${tainted}`).join('\n')

/** Everything works, and the folder holds what the state says and nothing else. */
async function assertWhole(authority: Authority, directory: string): Promise<void> {
  const bundle = authority.bundle.value
  const bundles = createBundleSource([bundle])
  const chain = await authority.issue({ csr, id, ttlMs: 60_000, caller: 'test' })
  assert.equal(verifyX509Svid(chain, bundles, new Date()).kind, 'verified')
  const { token } = await authority.issueJwt({ id, audience: ['a'], ttlMs: 60_000, caller: 'test' })
  assert.equal(verifyJwtSvid(token, bundles, 'a', new Date()).kind, 'verified')
  assert.equal(await readFile(join(directory, 'trust-bundle.json'), 'utf8'), encodeTrustBundle(bundle))
  assert.equal(await readFile(join(directory, 'trust-bundle.pem'), 'utf8'), encodeTrustBundlePem(bundle))
  const expected = authority.authorities.value.flatMap(({ kind, keyId, state }) => [
    `${kind}-${keyId}.pem`,
    ...(state === 'old' ? [] : [`${kind}-${keyId}.key.sealed`]),
  ])
  const always = ['authorities.json', 'issuance-journal.ndjson', 'trust-bundle.json', 'trust-bundle.pem']
  assert.deepEqual((await readdir(directory)).sort(), [...expected, ...always].sort())
}

const OPERATIONS: Record<string, (authority: Authority, kind: AuthorityKind, keyId: string) => Promise<unknown>> = {
  open: () => Promise.resolve(),
  prepare: (authority, kind) => authority.prepare(kind),
  activate: (authority, kind, keyId) => authority.activate(kind, keyId),
  taint: (authority, kind, keyId) => authority.taint(kind, keyId),
  revoke: (authority, kind, keyId) => authority.revoke(kind, keyId),
}

interface Order {
  readonly operation: string
  readonly kind: AuthorityKind
  readonly keyId: string
}

/**
 * Before each step, keeps a copy of the folder as a process would leave it that is killed then: with the next file half
 * written beside its place.
 */
function createWatchedFolder(folder: Folder, nextCopy: () => string): Folder {
  const copy = async (halfWritten?: { name: string; bytes: string | Uint8Array }): Promise<void> => {
    const path = nextCopy()
    await cp(folder.path, path, { recursive: true })
    if (!halfWritten) return
    const bytes = Buffer.from(halfWritten.bytes)
    await writeFile(join(path, `${halfWritten.name}.1.0.new`), bytes.subarray(0, bytes.length / 2))
  }
  return {
    ...folder,
    async write(name, bytes, mode) {
      await copy({ name, bytes })
      await folder.write(name, bytes, mode)
    },
    async remove(name) {
      await copy()
      await folder.remove(name)
    },
  }
}

/** Opens what would be left of an operation after 0, 1, 2… steps, and after all. Tells how many steps there are. */
async function crashAtEveryStep(
  { folder, base, sealKey }: Given,
  { operation, kind, keyId }: Order,
  check: (authority: Authority) => void,
): Promise<number> {
  const copies: string[] = []
  const nextCopy = (): string => copies[copies.push(join(folder, `after-${copies.length}`)) - 1]!
  const directory = join(folder, 'whole')
  await cp(base, directory, { recursive: true })
  {
    await using authority = await openAuthorityIn(
      createWatchedFolder(openFolder(directory), nextCopy),
      { sealKey },
      deps,
    )
    await OPERATIONS[operation]!(authority, kind, keyId)
  }
  for (const left of [...copies, directory]) {
    await using authority = await openAuthority(left, { sealKey }, deps)
    await assertWhole(authority, left)
    check(authority)
  }
  return copies.length
}

/** An old one that is tainted, an old one, an active and, if asked, a prepared one of each kind. */
async function makeRotated(directory: string, sealKey: SealKey, prepared: boolean): Promise<void> {
  const options = { trustDomain: id.trustDomain, sealKey }
  await using authority = await initAuthority(directory, options, deps)
  for (const kind of ['x509', 'jwt'] as const) {
    const first = keyOf(authority, kind, 'active')
    for (let round = 0; round < 2; round++) {
      await authority.prepare(kind)
      await authority.activate(kind)
    }
    await authority.taint(kind, first)
    if (prepared) await authority.prepare(kind)
  }
}

const keyOf = ({ authorities }: Authority, kind: AuthorityKind, state: string, tainted = false): string =>
  authorities.value.find((one) => one.kind === kind && one.state === state && one.tainted === tainted)?.keyId ?? ''

for (const kind of ['x509', 'jwt'] as const) {
  for (const [operation, isPrepared, target, leastSteps] of [
    ['prepare', false, () => '', 4],
    ['activate', true, (authority: Authority) => keyOf(authority, kind, 'prepared'), 2],
    ['taint', true, (authority: Authority) => keyOf(authority, kind, 'old'), 1],
    ['revoke', true, (authority: Authority) => keyOf(authority, kind, 'old', true), 3],
  ] as const) {
    test(`after a crash at any step of ${operation} ${kind}, it is the state before or the one after, and whole`, () =>
      withBase(
        (directory, sealKey) => makeRotated(directory, sealKey, isPrepared),
        async (given) => {
          const opened = await openAuthority(given.base, { sealKey: given.sealKey }, deps)
          const before = statesOf(opened)
          const keyId = target(opened)
          const sequence = opened.bundle.value.sequence
          await opened[Symbol.asyncDispose]()
          const seen: string[] = []
          const steps = await crashAtEveryStep(given, { operation, kind, keyId }, (authority) => {
            const state = statesOf(authority)
            const isBefore = state === before
            assert.ok(!isBefore || authority.bundle.value.sequence === sequence)
            assert.ok(isBefore || isAfter(operation, kind, keyId, before, authority), state)
            seen.push(isBefore ? 'before' : 'after')
          })
          assert.ok(steps >= leastSteps, `${steps} steps`)
          assert.match(seen.join(' '), /^before( before)*( after)+$/)
        },
      ))
  }
}

function isAfter(operation: string, kind: AuthorityKind, keyId: string, before: string, authority: Authority): boolean {
  const lines = before.split('\n')
  const rest = statesOf(authority)
    .split('\n')
    .filter((line) => !lines.includes(line))
  const own = authority.authorities.value.find((one) => one.keyId === keyId)
  const AFTER: Record<string, boolean> = {
    prepare: rest.length === 1 && rest[0]!.startsWith(kind) && rest[0]!.endsWith(' prepared false'),
    activate: rest.length === 2 && own?.state === 'active',
    taint: rest.length === 1 && own?.tainted === true,
    revoke: rest.length === 0 && own === undefined,
  }
  return AFTER[operation]!
}

test('after a crash at any step of taking over a folder of the version before, it is taken over at the next start', () => {
  const old = createTestAuthority('bank.test')
  return withBase(
    (directory, sealKey) => writeLegacy(directory, old, sealKey),
    async (given) => {
      const steps = await crashAtEveryStep(given, { operation: 'open', kind: 'x509', keyId: '' }, (authority) => {
        const [x509, jwt] = authority.authorities.value
        assert.deepEqual([x509?.kind, x509?.state, x509?.keyId], ['x509', 'active', old.certificate.subjectKeyId])
        assert.deepEqual([jwt?.kind, jwt?.state], ['jwt', 'active'])
        assert.ok(authority.bundle.value.sequence > BigInt(old.certificate.notBefore.getTime()))
      })
      assert.ok(steps >= 8, `${steps} steps`)
    },
  )
})

test('a process that is killed leaves a folder that the next one opens at once', () =>
  withBase(
    (directory, sealKey) => makeRotated(directory, sealKey, false),
    async ({ base, sealKeyText, sealKey }) => {
      const child = fork(CHILD, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      child.send({ directory: base, sealKey: sealKeyText, steps: 2 } satisfies CrashOrder)
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
      await using authority = await openAuthority(base, { sealKey }, deps)
      await assertWhole(authority, base)
    },
  ))

async function writeLegacy(
  directory: string,
  { certificate, keyPair, bundle }: ReturnType<typeof createTestAuthority>,
  sealKey: SealKey,
): Promise<void> {
  await mkdir(directory)
  await writeFile(join(directory, 'issuance-journal.ndjson'), '')
  await writeFile(join(directory, 'authority.pem'), encodeCertificatesPem([certificate]))
  await writeFile(join(directory, 'trust-bundle.pem'), encodeTrustBundlePem(bundle))
  await writeFile(join(directory, 'trust-bundle.json'), encodeTrustBundle(bundle))
  const key = Buffer.from(encodePrivateKeyPem(keyPair.privateKey))
  await writeSealedFile(join(directory, 'authority.key.sealed'), key, 'x509-authority-key', sealKey)
}
