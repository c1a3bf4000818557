import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { settle } from '@picket/runtime/testing'
import { CaError } from './error.ts'
import { createJournal, openJournal, type JournalFile, type JournalRecord } from './journal.ts'
import { inTestFolder } from './testing.ts'

const record = (serialNumber: string): JournalRecord => ({
  kind: 'x509',
  time: '2026-01-01T00:00:00.000Z',
  serialNumber,
  spiffeId: 'spiffe://bank.test/payments',
  notAfter: '2026-01-01T01:00:00.000Z',
  caller: 'test',
  authorityKeyId: '00',
  fingerprintSha256: '00',
})
const line = (serialNumber: string): string => `${JSON.stringify(record(serialNumber))}\n`

/** A file in memory whose flushes wait until the test lets them go, and whose disk may be full. */
function createFakeFile(): JournalFile & { text: string; flushes: number; full: boolean; letGo: () => void } {
  let gate = Promise.withResolvers<void>()
  return {
    text: '',
    flushes: 0,
    full: false,
    letGo() {
      gate.resolve()
      gate = Promise.withResolvers()
    },
    appendFile(text) {
      if (this.full) {
        this.text += text.slice(0, 10)
        return Promise.reject(new Error('ENOSPC: no space left on device'))
      }
      this.text += text
      return Promise.resolve()
    },
    async datasync() {
      await gate.promise
      this.flushes++
    },
    close: () => Promise.resolve(),
  }
}

const outcome = (append: Promise<void>): Promise<string> =>
  append.then(
    () => 'durable',
    (thrown: unknown) => (thrown as CaError).code,
  )

test('a record counts only once it is on the disk', async () => {
  const file = createFakeFile()
  const journal = createJournal(file, 'journal')
  let durable = false
  const appended = journal.append(record('01')).then(() => (durable = true))
  await settle()
  assert.equal(file.text, line('01'))
  assert.equal(durable, false)
  file.letGo()
  await appended
  assert.equal(file.flushes, 1)
})

test('records that arrive during a flush share the next one, in order', async () => {
  const file = createFakeFile()
  const journal = createJournal(file, 'journal')
  const serials = Array.from({ length: 100 }, (_, index) => String(index))
  const appended = serials.map((serial) => journal.append(record(serial)))
  await settle()
  file.letGo()
  await appended[0]
  await settle()
  file.letGo()
  await Promise.all(appended)
  assert.equal(file.flushes, 2)
  assert.equal(file.text, serials.map(line).join(''))
})

test('while the disk is full every append fails, and none hangs', async () => {
  const file = createFakeFile()
  file.full = true
  const journal = createJournal(file, 'journal')
  for (let attempt = 0; attempt < 4; attempt++) {
    assert.equal(await outcome(journal.append(record('01'))), 'ERR_JOURNAL')
  }
})

test('all that share a flush that fails learn of it', async () => {
  const file = createFakeFile()
  const journal = createJournal(file, 'journal')
  const first = outcome(journal.append(record('01')))
  const others = ['02', '03'].map((serial) => outcome(journal.append(record(serial))))
  await settle()
  file.full = true
  file.letGo()
  assert.deepEqual([await first, ...(await Promise.all(others))], ['durable', 'ERR_JOURNAL', 'ERR_JOURNAL'])
})

test('when there is room again it goes on, and what was cut off stands on a line of its own', async () => {
  const file = createFakeFile()
  const journal = createJournal(file, 'journal')
  file.full = true
  await assert.rejects(journal.append(record('01')), { code: 'ERR_JOURNAL', retryable: true })
  file.full = false
  const appended = journal.append(record('02'))
  await settle()
  file.letGo()
  await appended
  assert.equal(file.text, `${line('01').slice(0, 10)}\n${line('02')}`)
})

test('closing waits for what is under way', async () => {
  const file = createFakeFile()
  const journal = createJournal(file, 'journal')
  const appended = outcome(journal.append(record('01')))
  const closed = journal[Symbol.asyncDispose]()
  await settle()
  file.letGo()
  await closed
  assert.equal(await appended, 'durable')
})

test('a new journal is private, an old one is continued', () =>
  inTestFolder(async (folder) => {
    const path = join(folder, 'journal')
    for (const serial of ['01', '02']) {
      await using journal = await openJournal(path)
      await journal.append(record(serial))
    }
    assert.equal(await readFile(path, 'utf8'), line('01') + line('02'))
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  }))

test('half a line that a crash left does not swallow the next record', () =>
  inTestFolder(async (folder) => {
    const path = join(folder, 'journal')
    await writeFile(path, `${line('01')}{"time":"20`)
    await using journal = await openJournal(path)
    await journal.append(record('02'))
    assert.equal(await readFile(path, 'utf8'), `${line('01')}{"time":"20\n${line('02')}`)
  }))

test('opening a journal writes nothing', () =>
  inTestFolder(async (folder) => {
    const path = join(folder, 'journal')
    await writeFile(path, '{"time":"20')
    await (await openJournal(path))[Symbol.asyncDispose]()
    assert.equal(await readFile(path, 'utf8'), '{"time":"20')
  }))

test('a full disk for real: the device that is always full', () =>
  openJournal('/dev/full').then(async (journal) => {
    await assert.rejects(journal.append(record('01')), { code: 'ERR_JOURNAL', message: /ENOSPC/ })
    await journal[Symbol.asyncDispose]()
  }))

test('a journal that cannot be opened says so', () =>
  inTestFolder(async (folder) => {
    await mkdir(join(folder, 'journal'))
    for (const path of [join(folder, 'journal'), join(folder, 'missing', 'journal')]) {
      await assert.rejects(openJournal(path), { code: 'ERR_JOURNAL' })
    }
  }))
