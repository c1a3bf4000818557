import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  createBundleSource,
  createCsr,
  generateKeyPair,
  KEY_ALGORITHMS,
  lintX509Svid,
  parseCrl,
  parseCsr,
  parseSpiffeId,
  parseTrustBundle,
  verifyX509Svid,
  type Certificate,
  type KeyAlgorithm,
} from '@picket/identity'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { Authority } from './authority.ts'
import type { AuthorityKind, RotationIntent } from './authority-slots.ts'
import { openFolder, type Folder } from './folder.ts'
import { initAuthority, openAuthority, openAuthorityIn } from './open-authority.ts'
import { inTestFolder, testSealKey as sealKey } from './testing.ts'

const DAY_MS = 86_400_000
const id = parseSpiffeId('spiffe://bank.test/payments')
const csr = parseCsr(createCsr(generateKeyPair(), id))

interface Given {
  readonly authority: Authority
  readonly directory: string
  readonly clock: FakeClock
  readonly deps: { readonly clock: FakeClock; readonly random: typeof systemRandom }
}

const withAuthority = (body: (given: Given) => Promise<void>, algorithm: KeyAlgorithm = 'ec-p256'): Promise<void> =>
  inTestFolder(async (folder) => {
    const clock = new FakeClock()
    const deps = { clock, random: systemRandom }
    const directory = join(folder, 'ca')
    const options = { trustDomain: id.trustDomain, sealKey, algorithm }
    await using authority = await initAuthority(directory, options, deps)
    await body({ authority, directory, clock, deps })
  })

const issue = (authority: Authority): Promise<readonly Certificate[]> =>
  authority.issue({ csr, id, ttlMs: 3_600_000, caller: 'test' })
const states = ({ authorities }: Authority, of: AuthorityKind = 'x509'): string[] =>
  authorities.value.filter(({ kind }) => kind === of).map(({ state }) => state)
const isAccepted = (chain: readonly Certificate[], { bundle }: Authority, clock: FakeClock): boolean =>
  verifyX509Svid(chain, createBundleSource([bundle.value]), new Date(clock.now()), { strict: true }).kind === 'verified'
const keyOf = ({ authorities }: Authority, state: string): string =>
  authorities.value.find((one) => one.kind === 'x509' && one.state === state)!.keyId

suite('a rotation', () => {
  test('leaves what was issued before accepted, until the old authority is revoked', () =>
    withAuthority(async ({ authority, clock }) => {
      const before = await issue(authority)
      const sequences = [authority.bundle.value.sequence]
      const { keyId: prepared } = await authority.prepare('x509')
      sequences.push(authority.bundle.value.sequence)
      assert.equal((await issue(authority))[0]!.authorityKeyId, before[0]!.authorityKeyId)
      const active = await authority.activate('x509')
      assert.deepEqual([active.keyId, active.state], [prepared, 'active'])
      const after = await issue(authority)
      assert.equal(after[0]!.authorityKeyId, prepared)
      assert.ok(isAccepted(before, authority, clock) && isAccepted(after, authority, clock))
      const old = keyOf(authority, 'old')
      assert.equal((await authority.taint('x509', old)).tainted, true)
      await authority.revoke('x509', old)
      sequences.push(authority.bundle.value.sequence)
      assert.equal(isAccepted(before, authority, clock), false)
      assert.ok(isAccepted(after, authority, clock))
      assert.ok(sequences[0]! < sequences[1]! && sequences[1]! < sequences[2]!)
    }))

  test('is told to whoever watches, and is in the files, which hold no key that is of no more use', () =>
    withAuthority(async ({ authority, directory }) => {
      const heard: bigint[] = []
      authority.bundle.subscribe(({ sequence }) => heard.push(sequence))
      await authority.prepare('x509')
      await authority.activate('x509')
      assert.deepEqual(heard, [authority.bundle.value.sequence])
      const json = await readFile(join(directory, 'trust-bundle.json'), 'utf8')
      const { x509Authorities, sequence } = parseTrustBundle(json, id.trustDomain)
      assert.equal(x509Authorities.length, 2)
      assert.equal(sequence, authority.bundle.value.sequence)
      const names = await readdir(directory)
      assert.equal(names.includes(`x509-${keyOf(authority, 'old')}.key.sealed`), false)
      assert.equal(names.includes(`x509-${keyOf(authority, 'active')}.key.sealed`), true)
    }))

  test('asked for twice is prepared once; another algorithm takes its place', () =>
    withAuthority(async ({ authority }) => {
      const [one, two] = await Promise.all([authority.prepare('x509'), authority.prepare('x509')])
      assert.equal(one.keyId, two.keyId)
      const other = await authority.prepare('x509', { algorithm: 'ed25519' })
      assert.equal(other.algorithm, 'ed25519')
      assert.deepEqual(states(authority), ['active', 'prepared'])
      assert.equal((await authority.prepare('x509')).keyId, other.keyId)
      assert.deepEqual(states(authority, 'jwt'), ['active'])
    }))

  test('made anew takes the place of the one prepared, of the same algorithm too', () =>
    withAuthority(async ({ authority }) => {
      const { keyId } = await authority.prepare('x509')
      const fresh = await authority.prepare('x509', { anew: true })
      assert.notEqual(fresh.keyId, keyId)
      assert.deepEqual(states(authority), ['active', 'prepared'])
      assert.equal(
        authority.bundle.value.x509Authorities.some(({ subjectKeyId }) => subjectKeyId === keyId),
        false,
      )
    }))

  test('activated twice by its key is activated once', () =>
    withAuthority(async ({ authority }) => {
      const { keyId } = await authority.prepare('x509')
      await authority.activate('x509', keyId)
      assert.equal((await authority.activate('x509', keyId)).keyId, keyId)
      assert.deepEqual(states(authority), ['old', 'active'])
      await assert.rejects(authority.activate('x509'), { code: 'ERR_AUTHORITY_STATE' })
    }))

  test('the active authority is never tainted or revoked', () =>
    withAuthority(async ({ authority }) => {
      const active = keyOf(authority, 'active')
      await assert.rejects(authority.taint('x509', active), { code: 'ERR_AUTHORITY_STATE' })
      await assert.rejects(authority.revoke('x509', active), { code: 'ERR_AUTHORITY_STATE' })
    }))

  test('a prepared one that has expired is made anew, and old ones are pruned a day after their end', () =>
    withAuthority(async ({ authority, clock }) => {
      const { keyId } = await authority.prepare('x509')
      await clock.advance(31 * DAY_MS)
      await assert.rejects(issue(authority), { code: 'ERR_AUTHORITY_EXPIRED' })
      await assert.rejects(authority.activate('x509', keyId), { code: 'ERR_AUTHORITY_STATE' })
      assert.notEqual((await authority.prepare('x509')).keyId, keyId)
      await authority.activate('x509')
      assert.ok(isAccepted(await issue(authority), authority, clock))
      assert.equal(await authority.prune(), 1)
      assert.equal(await authority.prune(), 0)
      assert.deepEqual(states(authority), ['active'])
    }))

  test('the intent and the algorithm of SVIDs outlast a restart', () =>
    withAuthority(async ({ authority, directory, deps }) => {
      const rotation: RotationIntent = {
        id: 'r1',
        kinds: ['x509'],
        algorithm: 'ml-dsa-65',
        svidAlgorithm: 'ml-dsa-65',
        reason: 'emergency',
        retire: true,
        startedAt: new Date(deps.clock.now()),
        deadlineAt: undefined,
        quorum: 1,
        replaces: [],
      }
      await authority.setRotation(rotation)
      await authority.setSvidAlgorithm('ml-dsa-65')
      await authority[Symbol.asyncDispose]()
      await using again = await openAuthority(directory, { sealKey }, deps)
      assert.deepEqual([again.rotation, again.svidAlgorithm], [rotation, 'ml-dsa-65'])
      await again.setRotation(undefined)
      assert.equal(again.rotation, undefined)
    }))
})

suite('an authority', () => {
  for (const algorithm of KEY_ALGORITHMS) {
    test(`of ${algorithm} issues by the rules for keys of every algorithm`, () =>
      withAuthority(async ({ authority, clock }) => {
        for (const key of KEY_ALGORITHMS.filter((one) => !one.startsWith('rsa-') || one === 'rsa-2048')) {
          const own = parseCsr(createCsr(generateKeyPair(key), id))
          const chain = await authority.issue({ csr: own, id, ttlMs: 3_600_000, caller: 'test' })
          assert.deepEqual(lintX509Svid(chain[0]!), [])
          assert.equal(chain[0]!.keyAlgorithm, key)
          assert.ok(isAccepted(chain, authority, clock))
        }
      }, algorithm))
  }

  test('moves from P-256 to ML-DSA-65 and back, and what was issued on the way stays accepted', () =>
    withAuthority(async ({ authority, clock }) => {
      const chains = [await issue(authority)]
      for (const algorithm of ['ml-dsa-65', 'ec-p256'] as const) {
        await authority.prepare('x509', { algorithm })
        await authority.activate('x509')
        chains.push(await issue(authority))
      }
      assert.deepEqual(
        chains.map(([leaf]) => leaf!.signatureAlgorithm),
        ['ecdsa-sha256', 'ml-dsa-65', 'ecdsa-sha256'],
      )
      assert.ok(chains.every((chain) => isAccepted(chain, authority, clock)))
      const records = authority.authorities.value.filter(({ kind }) => kind === 'x509')
      assert.equal(new Set(records.map(({ certificate }) => certificate!.subject.toString('hex'))).size, 3)
      assert.equal(new Set(records.map(({ certificate }) => certificate!.subjectKeyId)).size, 3)
    }))

  test('signs lists of revoked certificates, each with a higher number', () =>
    withAuthority(async ({ authority, clock }) => {
      const revokedAt = new Date(clock.now())
      const revoked = [{ serialNumber: (await issue(authority))[0]!.serialNumber, revokedAt }]
      const [first, second] = [await authority.signCrl(revoked, 600_000), await authority.signCrl([], 600_000)].map(
        parseCrl,
      )
      const active = authority.authorities.value.find(({ state }) => state === 'active')!
      assert.ok(first!.isSignedWith(active.certificate!.publicKey))
      assert.deepEqual(first!.revoked, revoked)
      assert.deepEqual(second!.revoked, [])
      assert.ok(second!.crlNumber > first!.crlNumber)
      assert.equal(first!.nextUpdate.getTime(), clock.now() + 600_000)
      const long = parseCrl(await authority.signCrl([], 99 * DAY_MS))
      assert.deepEqual(long.nextUpdate, active.notAfter)
      await assert.rejects(authority.signCrl([], 0), { code: 'ERR_ISSUE_REQUEST' })
      await clock.advance(30 * DAY_MS)
      await assert.rejects(authority.signCrl([], 600_000), { code: 'ERR_AUTHORITY_EXPIRED' })
    }))
})

suite('when the disk refuses', () => {
  /** The n-th write from now on and all after it fail, until told otherwise. */
  function createFailingFolder(folder: Folder): Folder & { writesLeft: number } {
    return {
      ...folder,
      writesLeft: Number.POSITIVE_INFINITY,
      write(name, bytes, mode) {
        if (this.writesLeft-- <= 0) return Promise.reject(new Error('ENOSPC: no space left on device'))
        return folder.write(name, bytes, mode)
      },
    }
  }

  for (let writes = 0; writes < 5; writes++) {
    test(`after ${writes} writes of a preparation, issuing goes on and the next try finishes it`, () =>
      withAuthority(async ({ authority, directory, clock, deps }) => {
        await authority[Symbol.asyncDispose]()
        const folder = createFailingFolder(openFolder(directory))
        await using failing = await openAuthorityIn(folder, { sealKey }, deps)
        folder.writesLeft = writes
        await assert.rejects(failing.prepare('x509'), { code: 'ERR_AUTHORITY_FILES', retryable: true })
        assert.deepEqual(states(failing), writes < 3 ? ['active'] : ['active', 'prepared'])
        assert.ok(isAccepted(await issue(failing), failing, clock))
        folder.writesLeft = Number.POSITIVE_INFINITY
        await failing.prepare('x509')
        assert.deepEqual(states(failing), ['active', 'prepared'])
        const json = await readFile(join(directory, 'trust-bundle.json'), 'utf8')
        assert.equal(parseTrustBundle(json, id.trustDomain).sequence, failing.bundle.value.sequence)
        assert.equal((await readdir(directory)).filter((name) => /^x509-.*sealed$/.test(name)).length, 2)
      }))
  }
})

suite('a folder', () => {
  test('whose state is damaged is refused with the way out, and nothing is touched', () =>
    withAuthority(async ({ authority, directory, deps }) => {
      await authority[Symbol.asyncDispose]()
      const path = join(directory, 'authorities.json')
      const sound = await readFile(path, 'utf8')
      for (const damaged of ['', sound.slice(0, -5), sound.replace('"active"', '"old"'), '{}']) {
        await writeFile(path, damaged)
        const before = await readdir(directory)
        await assert.rejects(openAuthority(directory, { sealKey }, deps), {
          code: 'ERR_AUTHORITY_FILES',
          message: /authorities\.json is damaged.*restore.*picket ca init/,
        })
        assert.deepEqual(await readdir(directory), before)
      }
    }))

  test('is swept of what a crash left, and of nothing else', () =>
    withAuthority(async ({ authority, directory, deps }) => {
      await authority[Symbol.asyncDispose]()
      const before = (await readdir(directory)).sort()
      const stray = `x509-${'0'.repeat(40)}.key.sealed`
      for (const name of [stray, 'authorities.json.77.3.new', 'note.txt']) await writeFile(join(directory, name), 'x')
      await using _again = await openAuthority(directory, { sealKey }, deps)
      assert.deepEqual((await readdir(directory)).sort(), [...before, 'note.txt'].sort())
    }))

  test('whose bundle files are gone or wrong gets them again', () =>
    withAuthority(async ({ authority, directory, deps }) => {
      await authority[Symbol.asyncDispose]()
      const path = join(directory, 'trust-bundle.json')
      const before = await readFile(path, 'utf8')
      await writeFile(path, 'x')
      await using _again = await openAuthority(directory, { sealKey }, deps)
      assert.equal(await readFile(path, 'utf8'), before)
    }))
})
