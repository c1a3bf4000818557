import { watch, type FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import { sleepUnlessAborted, type Clock } from '@picket/runtime'

/** Files of one set are written one after the other; they are read this long after the first one moved. */
const SETTLE_MS = 100
/** Network file systems and some containers tell nothing: look by oneself this often. */
const POLL_MS = 5_000

/**
 * Calls `look` soon after any of the files changed, and at every poll anyway; `look` finds out whether anything is new.
 * Folders are watched, not files, so that replacing by rename or by a switched link (as Kubernetes does) is seen. Ends
 * when `signal` aborts.
 */
export async function watchFiles(
  files: readonly string[],
  clock: Clock,
  signal: AbortSignal,
  look: () => Promise<void>,
): Promise<void> {
  let wake = new AbortController()
  const folders = Map.groupBy(files, dirname)
  const watchers = [...folders].flatMap(([folder, inside]) => watchFolder(folder, inside, () => wake.abort()))
  try {
    while (!signal.aborted) {
      await sleepUnlessAborted(clock, POLL_MS, AbortSignal.any([signal, wake.signal]))
      if (wake.signal.aborted) await sleepUnlessAborted(clock, SETTLE_MS, signal)
      wake = new AbortController()
      if (!signal.aborted) await look()
    }
  } finally {
    for (const watcher of watchers) watcher.close()
  }
}

/** Nothing to watch with is no reason to stop: polling goes on. */
function watchFolder(folder: string, files: readonly string[], changed: () => void): FSWatcher[] {
  const names = new Set(files.map((file) => basename(file)))
  try {
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name === null || names.has(name) || name.startsWith('..')) changed()
    })
    watcher.on('error', () => watcher.close())
    return [watcher]
  } catch {
    return []
  }
}
