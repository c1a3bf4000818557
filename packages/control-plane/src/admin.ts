import type { AdminHandlers, Caller, Entry, Status } from '@picket/rpc'
import type { Logger } from '@picket/runtime'
import type { Entries } from './registration/entries.ts'
import type { JoinTokens } from './attestors/join-tokens.ts'
import type { Policies } from './policies.ts'
import type { Registry } from './registration/registry.ts'
import { answer } from './rpc-answer.ts'
import type { SyncHub } from './sync/sync.ts'

interface AdminDeps {
  readonly entries: Entries
  readonly tokens: JoinTokens
  readonly policies: Policies
  readonly sync: SyncHub
  readonly logger: Logger
  readonly status: () => Promise<Status>
  readonly registry: Pick<Registry, 'explain'>
}

/** The operator's calls. Each one that changes something is recorded where it happens, with who did it. */
export function createAdmin({ entries, tokens, policies, sync, logger, status, registry }: AdminDeps): AdminHandlers {
  return {
    createToken: (request, caller) => answer(tokens.create(request, nameOf(caller))),
    async createEntry(draft, caller) {
      const entry = await answer(entries.create(draft, nameOf(caller)))
      await sync.recheck(touchedBy(entry))
      return entry
    },
    listEntries: (request) => answer(entries.list(request)),
    async deleteEntry(id, caller) {
      const entry = await answer(entries.delete(id, nameOf(caller)))
      await sync.recheck(touchedBy(entry))
      return entry
    },
    pushPolicy: (bundle, caller) => answer(policies.push(bundle, nameOf(caller))),
    listPolicies: () => policies.list(),
    async rotateSvids(spiffeId, caller) {
      const notified = sync.rotate(spiffeId)
      logger.info('SVID rotation ordered', { by: nameOf(caller), spiffeId, notified: notified.length })
      return notified
    },
    async applyEntries(request, caller) {
      const applied = await answer(entries.apply(request, nameOf(caller)))
      await sync.recheck()
      return applied
    },
    explainIdentity: (request) => answer(registry.explain(request)),
    getStatus: () => status(),
    listSidecars: async (request) => sync.page(request),
  }
}

/** Whom an entry can mean; what is asked of local processes is not among a sidecar's own facts. */
function touchedBy({ selectors }: Entry): (facts: readonly string[]) => boolean {
  const asked = selectors.filter((selector) => !selector.startsWith('unix:'))
  return (facts) => asked.every((selector) => facts.includes(selector))
}

function nameOf({ id, remote }: Caller): string {
  return id?.uri ?? remote
}
