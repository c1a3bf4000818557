import { createPolicyEngine, loadPolicyBundle, PolicyError, type PolicyBundle } from '@picket/policy'
import { RpcError, type PolicyRevision, type Resource } from '@picket/rpc'
import { createWatch, type Clock, type Logger, type Watch } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'

export interface NewPolicyRevision {
  readonly revision: string
  readonly digest: string
  readonly content: Uint8Array
  readonly pushedAtMs: number
  readonly pushedBy: string
}

export interface PolicyRevisionStore {
  /**
   * Makes it the active one. A revision that is there keeps its bytes: the answer is then the stored one, and nothing has
   * changed if its digest is another.
   */
  activatePolicy(policy: NewPolicyRevision): Promise<PolicyRevision>
  /** Newest first. */
  listPolicies(): Promise<readonly PolicyRevision[]>
  activePolicy(): Promise<{ readonly revision: string; readonly content: Buffer } | undefined>
}

export interface Policies {
  readonly active: Watch<Resource | undefined>
  /**
   * Proves that the bundle loads and decides, keeps it, and makes it what every sidecar gets. A revision pushed again with
   * the same bytes becomes active again. Rejects with `ERR_RPC_INVALID` (reason: the policy's code) or
   * `ERR_POLICY_CONFLICT`, and nothing has changed then.
   */
  push(content: Buffer, by: string): Promise<PolicyRevision>
  list(): Promise<readonly PolicyRevision[]>
}

interface PoliciesDeps {
  readonly store: PolicyRevisionStore
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export async function createPolicies({ store, clock, logger }: PoliciesDeps): Promise<Policies> {
  const stored = await store.activePolicy()
  const active = createWatch(stored && toResource(stored.revision, stored.content))
  let last: Promise<unknown> = Promise.resolve()

  async function push(content: Buffer, by: string): Promise<PolicyRevision> {
    const { revision, digest } = await proveBundle(content)
    const pushed = await store.activatePolicy({ revision, digest, content, pushedAtMs: clock.now(), pushedBy: by })
    if (pushed.digest !== digest) {
      const message = `revision "${revision}" is there with other bytes (SHA-256 ${pushed.digest}): give this one its own`
      throw new ControlPlaneError('ERR_POLICY_CONFLICT', message)
    }
    if (active.value?.revision !== revision) active.set(toResource(revision, content))
    logger.info('policy pushed', { by, revision, digest, bytes: content.length })
    return pushed
  }

  return {
    active,
    push(content, by) {
      const turn = last.then(() => push(content, by)) // one at a time: the one that came last is the one that stays
      last = turn.catch(() => {})
      return turn
    },
    list: () => store.listPolicies(),
  }
}

function toResource(revision: string, bytes: Buffer): Resource {
  return { kind: 'policy-bundle', revision, bytes }
}

async function proveBundle(content: Buffer): Promise<PolicyBundle> {
  try {
    const bundle = await loadPolicyBundle(content)
    const engine = await createPolicyEngine(bundle)
    engine[Symbol.dispose]()
    return bundle
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause
    throw new RpcError('ERR_RPC_INVALID', cause.message, { cause, reason: cause.code })
  }
}
