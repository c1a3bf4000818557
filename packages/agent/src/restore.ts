import { verifyX509Svid, type X509Svid } from '@picket/identity'
import { RESOURCE_KINDS, type ResourceKindName } from '@picket/rpc'
import { codeOf, messageOf, type Clock, type Logger } from '@picket/runtime'
import type { LastGood } from './last-good-codec.ts'
import type { Resources } from './resources.ts'

/** Whom to refuse comes before all that could let somebody in. */
const IN_ORDER: readonly ResourceKindName[] = [...new Set<ResourceKindName>(['revocations', ...RESOURCE_KINDS])]

export interface RestoredSvids {
  /** The default identity's, when it verifies now. */
  readonly svid: X509Svid | undefined
  /** The same when nothing is wrong with it but its age: its key can still ask for a successor. */
  readonly expired: X509Svid | undefined
  readonly further: readonly X509Svid[]
}

/**
 * Takes over what was held before the restart, through the same checks as if it had just been pushed; what no longer
 * passes is left out. A trust bundle that descends from another pin is not taken: the operator's file is the word. The
 * SVIDs that verify now are kept, the default identity's first if it is among them.
 */
export async function restore(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  resources: Resources,
  pin: string,
  state: LastGood | undefined,
): Promise<RestoredSvids> {
  if (!state) return { svid: undefined, expired: undefined, further: [] }
  for (const kind of IN_ORDER) {
    const held = state.resources[kind]
    if (!held || (kind === 'trust-bundle' && state.pin !== pin)) continue
    try {
      await resources.accept({ kind, ...held })
    } catch (thrown) {
      logger.warn('part of the last good state is no longer accepted', {
        kind,
        revision: held.revision,
        code: codeOf(thrown),
        error: messageOf(thrown),
      })
    }
  }
  const now = new Date(clock.now())
  const verdicts = state.svids.map((svid) => verifyX509Svid(svid.chain, resources.bundles.value, now))
  const [first] = verdicts
  logger.info('last good state restored', {
    kinds: resources.revisions.map(({ kind }) => kind),
    svid: first ? (first.kind === 'verified' ? 'valid' : first.code) : 'none',
    svids: state.svids.length,
  })
  const isValid = (_: X509Svid, at: number): boolean => verdicts[at]?.kind === 'verified'
  return {
    svid: state.svids.slice(0, 1).find(isValid),
    expired: first?.kind === 'refused' && first.code === 'expired' ? state.svids[0] : undefined,
    further: state.svids.slice(1).filter((svid, at) => isValid(svid, at + 1)),
  }
}
