import { open, type FileHandle } from 'node:fs/promises'
import { CaError } from './error.ts'

/** One issued certificate. */
export interface JournalRecord {
  readonly time: string
  readonly serialNumber: string
  readonly spiffeId: string
  readonly notAfter: string
  /** Who asked, as the caller of `issue` puts it. */
  readonly caller: string
  readonly authorityKeyId: string
  readonly fingerprintSha256: string
}

/**
 * The issuance journal: newline-delimited JSON, append only. `append` resolves when the record is on the disk, and a
 * certificate leaves only after that. Records that arrive while a flush is under way share the next one (group commit),
 * so that many callers cost few flushes. After a failed write the journal stays failed: a gap must not go unnoticed.
 */
export interface Journal extends AsyncDisposable {
  /** Rejects with `ERR_JOURNAL`. */
  append(record: JournalRecord): Promise<void>
}

export async function openJournal(path: string): Promise<Journal> {
  const file = await open(path, 'a', 0o600)
  await endTornLine(path, file)
  let waiting: { line: string; resolve: () => void; reject: (error: CaError) => void }[] = []
  let flushing: Promise<void> | undefined
  let failure: CaError | undefined

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        if (failure) throw failure
        await file.appendFile(batch.map(({ line }) => line).join(''))
        await file.datasync()
        for (const { resolve } of batch) resolve()
      } catch (cause) {
        failure ??= new CaError('ERR_JOURNAL', `${path} cannot be written: no certificate is issued until it can`, {
          cause,
        })
        for (const { reject } of batch) reject(failure)
      }
    }
    flushing = undefined
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

/** A crash may leave half a line, whose certificate never left: it gets its line end, so that the next record has its own. */
async function endTornLine(path: string, file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  if (size === 0) return
  const last = Buffer.alloc(1)
  const reader = await open(path, 'r')
  try {
    await reader.read(last, 0, 1, size - 1)
  } finally {
    await reader.close()
  }
  if (last[0] !== 0x0a) await file.appendFile('\n')
}
