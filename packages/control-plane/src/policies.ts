import { createPolicyEngine, loadPolicyBundle } from '@picket/policy'
import type { PolicyRevision } from '@picket/rpc'
import { createWatch, type Clock, type Watch } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'
import type { Database } from './store/database.ts'

/**
 * The policy bundles: each pushed revision is kept, the newest is active. A bundle is parsed, instantiated and evaluated
 * on samples here exactly as a sidecar does it, before it is stored: what no sidecar could load never leaves this process.
 */
export interface Policies {
  /** Undefined until a first bundle was pushed. */
  readonly active: Watch<ActivePolicy | undefined>
  /**
   * Throws a `PolicyError` (not a loadable bundle) or `ERR_POLICY_REVISION` (other bytes under a known revision); nothing
   * has changed then. Pushing a known revision again makes it the active one: that is how one rolls back.
   */
  push(bundle: Buffer, pushedBy: string): Promise<PolicyRevision>
  /** Newest first. */
  list(): readonly PolicyRevision[]
}

export interface ActivePolicy {
  readonly revision: string
  readonly payload: Buffer
}

/** Older revisions are forgotten beyond this many. */
const KEEP_REVISIONS = 100

export function createPolicies(database: Database, { clock }: { clock: Clock }): Policies {
  const { sql } = database
  const byRevision = sql.prepare('SELECT digest FROM policies WHERE revision = ?')
  const newest = sql.prepare('SELECT revision, bundle FROM policies ORDER BY sequence DESC LIMIT 1')
  const insert = sql.prepare(
    'INSERT INTO policies (revision, digest, bundle, pushed_at_ms, pushed_by) VALUES (?, ?, ?, ?, ?)',
  )
  const remove = sql.prepare('DELETE FROM policies WHERE revision = ?')
  const prune = sql.prepare('DELETE FROM policies WHERE sequence <= (SELECT max(sequence) FROM policies) - ?')
  const listed = sql.prepare(`
    SELECT revision, digest, length(bundle) AS bytes, pushed_at_ms, pushed_by,
           sequence = (SELECT max(sequence) FROM policies) AS active
    FROM policies ORDER BY sequence DESC`)
  const stored = newest.get()
  const active = createWatch<ActivePolicy | undefined>(stored && toActive(stored))
  const list = (): PolicyRevision[] => listed.all().map(toRevision)

  return {
    active,
    list,
    async push(bytes, pushedBy) {
      const bundle = await loadPolicyBundle(bytes)
      const engine = await createPolicyEngine(bundle)
      engine[Symbol.dispose]()
      const { revision, digest } = bundle
      database.transaction(() => {
        const known = byRevision.get(revision)
        if (known && known['digest'] !== digest) {
          const wayOut = 'build with another --revision'
          throw new ControlPlaneError(
            'ERR_POLICY_REVISION',
            `revision "${revision}" is taken by other bytes: ${wayOut}`,
          )
        }
        remove.run(revision)
        insert.run(revision, digest, bytes, clock.now(), pushedBy)
        prune.run(KEEP_REVISIONS)
      })
      active.set({ revision, payload: bytes })
      const [pushed] = list()
      return pushed as PolicyRevision
    },
  }
}

function toActive(row: Record<string, unknown>): ActivePolicy {
  return { revision: String(row['revision']), payload: Buffer.from(row['bundle'] as Uint8Array) }
}

function toRevision(row: Record<string, unknown>): PolicyRevision {
  return {
    revision: String(row['revision']),
    digest: String(row['digest']),
    bytes: Number(row['bytes']),
    pushedAtMs: Number(row['pushed_at_ms']),
    pushedBy: String(row['pushed_by']),
    active: row['active'] === 1,
  }
}
