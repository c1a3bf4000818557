import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrustDomain } from '@picket/identity'
import {
  codeOf,
  messageOf,
  readSealedFile,
  writeSealedFile,
  type Clock,
  type Logger,
  type Metrics,
  type SealKey,
} from '@picket/runtime'
import type { StateConfig } from './control-plane-source.ts'
import { AgentError } from './error.ts'
import { decodeLastGood, encodeLastGood, type LastGood } from './last-good-codec.ts'
import { openStateDir } from './seal-key.ts'
import { claimStateDir } from './state-lock.ts'

/**
 * The last good state on disk, sealed: it holds the private key of the SVID. One file, replaced as a whole. A file that
 * does not open is not overwritten: it is set aside when there is something good to write.
 */
export interface LastGoodFile extends AsyncDisposable {
  /** Undefined: there is none, or it cannot be opened (which is logged). */
  load(): Promise<LastGood | undefined>
  /** Writes what `state` gives by then; calls during a write make one further write. Failures are logged and tried again. */
  save(state: () => LastGood): void
}

const PURPOSE = 'sidecar last good'
const RETRY_MS = 30_000

export interface LastGoodDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Opens the state folder for this process alone. Throws `ERR_STATE_DIR_IN_USE`, `ERR_SEAL_KEY_FILE`, `ERR_SEAL_KEY`. */
export async function openLastGoodFile(
  deps: LastGoodDeps,
  state: StateConfig,
  trustDomain: TrustDomain,
): Promise<LastGoodFile> {
  const key = await openStateDir(state, deps.logger)
  const claim = await claimStateDir(state.dir)
  const file = createLastGoodFile(deps, { dir: state.dir, key, trustDomain })
  return {
    ...file,
    async [Symbol.asyncDispose]() {
      await file[Symbol.asyncDispose]()
      await claim[Symbol.asyncDispose]()
    },
  }
}

export interface LastGoodOptions {
  readonly dir: string
  readonly key: SealKey
  /** State of another trust domain counts as unreadable. */
  readonly trustDomain: TrustDomain
}

export function createLastGoodFile(deps: LastGoodDeps, { dir, key, trustDomain }: LastGoodOptions): LastGoodFile {
  const { clock, logger } = deps
  const path = join(dir, 'last-good.sealed')
  let unreadable = false

  const writer = createWriter(deps, path, async (state) => {
    if (unreadable) await setAside(path, clock, logger)
    unreadable = false
    await writeSealedFile(path, encodeLastGood(state()), PURPOSE, key)
  })

  return {
    async load() {
      try {
        const state = decodeLastGood(await readSealedFile(path, PURPOSE, key))
        if (state.trustDomain === trustDomain.name) return state
        const fault = `it belongs to trust domain ${state.trustDomain}, not ${trustDomain.name}`
        throw new AgentError('ERR_LAST_GOOD', fault)
      } catch (thrown) {
        if (codeOf(thrown) === 'ENOENT') return undefined
        unreadable = true
        logger.warn('the last good state cannot be used, starting without it', { path, error: messageOf(thrown) })
        return undefined
      }
    },
    ...writer,
  }
}

/** One write at a time, of the newest state by then. */
function createWriter(
  { clock, logger, metrics }: LastGoodDeps,
  path: string,
  write: (state: () => LastGood) => Promise<void>,
): Pick<LastGoodFile, 'save' | typeof Symbol.asyncDispose> {
  const failures = metrics.counter('picket_last_good_write_failures_total', 'Writes of the sealed state that failed')
  let wanted: (() => LastGood) | undefined
  let writing = Promise.resolve()
  let busy = false
  let retry: Disposable | undefined

  async function writeWanted(): Promise<void> {
    busy = true
    for (let state = take(); state; state = take()) {
      try {
        await write(state)
      } catch (thrown) {
        failures.add()
        logger.warn('the last good state could not be written', {
          path,
          code: codeOf(thrown),
          error: messageOf(thrown),
        })
        const again = state
        retry = clock.after(RETRY_MS, () => save(wanted ?? again))
      }
    }
    busy = false
  }

  function take(): (() => LastGood) | undefined {
    const state = wanted
    wanted = undefined
    return state
  }

  function save(state: () => LastGood): void {
    retry?.[Symbol.dispose]()
    wanted = state
    if (!busy) writing = writeWanted()
  }

  return {
    save,
    async [Symbol.asyncDispose]() {
      await writing
      retry?.[Symbol.dispose]()
    },
  }
}

async function setAside(path: string, clock: Clock, logger: Logger): Promise<void> {
  const at = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-')
  const aside = `${path}.unreadable-${at}`
  await rename(path, aside)
  logger.warn('the unreadable state was set aside', { path: aside })
}
