import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, writeFileAtomic } from '@picket/runtime'

/** A folder of small files. Each write is whole or not at all, and durable when it resolves. */
export interface Folder {
  readonly path: string
  /** Empty when there is no such folder. */
  list(): Promise<string[]>
  read(name: string): Promise<Buffer | undefined>
  write(name: string, bytes: string | Uint8Array, mode: number): Promise<void>
  remove(name: string): Promise<void>
}

export function openFolder(path: string): Folder {
  return {
    path,
    list: () => unlessMissing(readdir(path), []),
    read: (name) => unlessMissing(readFile(join(path, name)), undefined),
    write: (name, bytes, mode) => writeFileAtomic(join(path, name), bytes, mode),
    remove: (name) => rm(join(path, name), { force: true }),
  }
}

async function unlessMissing<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return otherwise
    throw thrown
  }
}
