import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '@picket/runtime'
import { CaError } from './error.ts'

/** One issued SVID. Lines without a `kind` are of a version before JWT-SVIDs, and X.509. */
export interface JournalRecord {
  readonly kind: 'x509' | 'jwt'
  readonly time: string
  /** Of a certificate. */
  readonly serialNumber?: string
  readonly spiffeId: string
  /** Of a token. */
  readonly audience?: readonly string[]
  readonly notAfter: string
  /** Who asked, as the caller of `issue` puts it. */
  readonly caller: string
  readonly entryId?: string
  readonly entryRevision?: string
  readonly authorityKeyId: string
  /** Over the certificate's DER, or over the token as sent: a token itself is never written down. */
  readonly fingerprintSha256: string
}

/**
 * The issuance journal: newline-delimited JSON, append only. `append` resolves when the record is on the disk, and a
 * certificate leaves only after that. Records that arrive while a flush is under way share the next one (group commit),
 * so that many callers cost few flushes. While the disk refuses, every append fails and no certificate leaves; when it
 * takes writes again, so does the journal. A record that was cut off stands on a line of its own, and its certificate
 * never left.
 */
export interface Journal extends AsyncDisposable {
  /** Rejects with `ERR_JOURNAL`, retryable. */
  append(record: JournalRecord): Promise<void>
}

/** What the journal needs of its file, which is open for appending. */
export interface JournalFile {
  appendFile(text: string): Promise<void>
  datasync(): Promise<void>
  close(): Promise<void>
}

/** Opens the journal, making it when it is not there. Throws `ERR_JOURNAL`. */
export async function openJournal(path: string): Promise<Journal> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'a', 0o600)
    await syncFolder(dirname(path))
    return createJournal(file, path, await isTorn(path))
  } catch (cause) {
    await file?.close()
    throw new CaError('ERR_JOURNAL', `the issuance journal cannot be opened: ${messageOf(cause)}`, { cause })
  }
}

interface Waiter {
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: CaError) => void
}

/** `torn` says that the file may end inside a line, which then gets its line end before the next record. */
export function createJournal(file: JournalFile, path: string, torn = false): Journal {
  let waiting: Waiter[] = []
  let flushing: Promise<void> | undefined

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      await commit(batch)
    }
    flushing = undefined
  }

  async function commit(batch: readonly Waiter[]): Promise<void> {
    try {
      await file.appendFile((torn ? '\n' : '') + batch.map(({ line }) => line).join(''))
      await file.datasync()
      torn = false
      for (const { resolve } of batch) resolve()
    } catch (cause) {
      torn = true
      const message = `${path} cannot be written, so no certificate is issued: ${messageOf(cause)}`
      const error = new CaError('ERR_JOURNAL', message, { cause, retryable: true })
      for (const { reject } of batch) reject(error)
    }
  }

  return {
    append(record) {
      return new Promise((resolve, reject) => {
        waiting.push({ line: `${JSON.stringify(record)}\n`, resolve, reject })
        flushing ??= flush()
      })
    },
    async [Symbol.asyncDispose]() {
      await flushing
      await file.close()
    },
  }
}

/** A crash may have left half a line at the end. */
async function isTorn(path: string): Promise<boolean> {
  await using reader = await open(path, 'r')
  const { size } = await reader.stat()
  if (size === 0) return false
  const last = Buffer.alloc(1)
  await reader.read(last, 0, 1, size - 1)
  return last[0] !== 0x0a
}

/** Makes the file's own name durable. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
