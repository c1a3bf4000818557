import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { Authority } from '@picket/ca'
import { createTestCa, inTestFolder } from '@picket/ca/testing'
import { parseCertificatesPem, parsePrivateKeyPem, parseSpiffeId, parseX509Svid } from '@picket/identity'
import { createTasks, type Tasks } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, type LogEntry } from '@picket/runtime/testing'
import type { Issuer } from '../issuer.ts'
import { writeOperatorCredentials } from './operator-credentials.ts'
import { keepSvid } from './own-svid.ts'
import { eventually } from '../testing.ts'

const ID = parseSpiffeId('spiffe://bank.test/picket/operator')
const HOUR_MS = 3_600_000

interface Setting {
  readonly folder: string
  readonly authority: Authority
  readonly clock: FakeClock
  readonly tasks: Tasks
  readonly log: readonly LogEntry[]
  readonly deps: Parameters<typeof keepSvid>[0]
  /** How often the authority fails before it works again. */
  failures: number
}

async function inSetting(body: (setting: Setting) => Promise<void>): Promise<void> {
  await inTestFolder(async (folder) => {
    const clock = new FakeClock()
    const logger = createRecordingLogger()
    await using authority = await createTestCa(join(folder, 'ca'), 'bank.test', clock)
    await using tasks = createTasks()
    const issuer: Issuer = {
      ...authority,
      issue(request) {
        if (setting.failures === 0) return authority.issue(request)
        setting.failures -= 1
        return Promise.reject(new Error('the disk is full'))
      },
    }
    const deps = { issuer, clock, random: createFakeRandom(), logger, tasks }
    const setting: Setting = { folder, authority, clock, tasks, deps, log: logger.entries, failures: 0 }
    await body(setting)
  })
}

/** Lets the authority's files be written: real time, while the clock of the test stands. */
async function untilChanged<T>(read: () => T): Promise<T> {
  const before = read()
  for (let round = 0; round < 1000 && Object.is(read(), before); round++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return read()
}

suite('an own SVID', () => {
  test('is renewed at half its life with a new key', () =>
    inSetting(async ({ clock, deps }) => {
      const svid = await keepSvid(deps, ID, HOUR_MS)
      const first = svid.value
      await clock.advance(HOUR_MS / 2 - 60_000)
      assert.equal(svid.value, first)
      await clock.advance(61_000)
      const second = await untilChanged(() => svid.value)
      assert.notEqual(second, first)
      assert.equal(second.id.uri, ID.uri)
      assert.ok(second.notAfter > first.notAfter)
      assert.ok(!second.chain[0]!.publicKeyInfo.der.equals(first.chain[0]!.publicKeyInfo.der))
    }))

  test('is kept when a renewal fails, which is tried again', () =>
    inSetting(async (setting) => {
      const { clock, deps, log } = setting
      const svid = await keepSvid(deps, ID, HOUR_MS)
      const first = svid.value
      setting.failures = 2
      await clock.advance(HOUR_MS / 2 + 1) // and not as far as the next try
      await eventually(() => log.length === 1)
      assert.equal(svid.value, first)
      await clock.advance(1000)
      await eventually(() => log.length === 2)
      await clock.advance(10_000)
      await eventually(() => svid.value !== first)
    }))

  test('is renewed at once when another authority becomes the active one', () =>
    inSetting(async ({ authority, deps }) => {
      const svid = await keepSvid(deps, ID, HOUR_MS)
      const first = svid.value
      await authority.prepare('x509', { algorithm: 'ml-dsa-44' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      assert.equal(svid.value, first, 'a prepared one is not used')
      const { keyId } = await authority.activate('x509')
      await eventually(() => svid.value.chain[0]!.authorityKeyId === keyId)
    }))

  test('of the operator is on disk, key and certificate in step, also after a renewal', () =>
    inSetting(async ({ folder, clock, deps }) => {
      const svid = await keepSvid(deps, ID, HOUR_MS)
      const directory = join(folder, 'operator')
      await using _files = await writeOperatorCredentials(directory, deps.issuer.bundle, svid, deps.logger)
      const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
      const stored = (): string =>
        parseX509Svid(parseCertificatesPem(read('svid.pem')), parsePrivateKeyPem(read('key.pem'))).chain[0]!
          .serialNumber
      assert.equal(stored(), svid.value.chain[0]!.serialNumber)
      await clock.advance(HOUR_MS / 2 + 1000)
      await untilChanged(() => svid.value)
      await untilChanged(() => read('svid.pem'))
      assert.equal(stored(), svid.value.chain[0]!.serialNumber)
    }))
})
