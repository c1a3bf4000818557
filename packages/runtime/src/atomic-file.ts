import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces `path` as a whole: written beside it, flushed, renamed. A reader sees the old bytes or the new ones, a crash
 * leaves one of the two. `mode` is set at creation, so a private file is never readable in between.
 */
export async function writeFileAtomic(path: string, bytes: string | Uint8Array, mode = 0o644): Promise<void> {
  const beside = `${path}.${process.pid}.${written++}.new`
  await rm(beside, { force: true })
  const file = await open(beside, 'wx', mode)
  try {
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (thrown) {
    await rm(beside, { force: true })
    throw thrown
  }
  await syncFolder(dirname(path))
}

/** Keeps writers of the same path within one process apart. */
let written = 0

/** Makes renames and creations inside `path` durable (fsync of the folder). */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
