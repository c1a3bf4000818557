import { verifyX509Svid, type X509Svid } from '@picket/identity'
import { RESOURCE_KINDS } from '@picket/rpc'
import { codeOf, messageOf, type Clock, type Logger } from '@picket/runtime'
import type { LastGood } from './last-good-codec.ts'
import type { Resources } from './resources.ts'

/**
 * Takes over what was held before the restart, through the same checks as if it had just been pushed; what no longer
 * passes is left out. A trust bundle that descends from another pin is not taken: the operator's file is the word. The
 * SVID is kept if it verifies now.
 */
export async function restore(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  resources: Resources,
  pin: string,
  state: LastGood | undefined,
): Promise<X509Svid | undefined> {
  if (!state) return undefined
  for (const kind of RESOURCE_KINDS) {
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
  const { svid } = state
  const verified = svid && verifyX509Svid(svid.chain, resources.bundles.value, new Date(clock.now()))
  logger.info('last good state restored', {
    kinds: resources.revisions.map(({ kind }) => kind),
    svid: verified ? (verified.kind === 'verified' ? 'valid' : verified.code) : 'none',
  })
  return verified?.kind === 'verified' ? svid : undefined
}
