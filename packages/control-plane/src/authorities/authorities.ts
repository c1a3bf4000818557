import type { Authority, AuthorityKind } from '@picket/ca'
import type { AuthorityHandlers, AuthorityStatus, Caller, RotateAuthoritiesRequest, SidecarStatus } from '@picket/rpc'
import type { Clock, LogFields, Logger, Random } from '@picket/runtime'
import { parseAlgorithmOf, parseKind, parseRotationOrder, type RotationDefaults } from './authorities-order.ts'
import { affectedBy, readAuthorityStatus } from './authorities-status.ts'
import { ControlPlaneError } from '../error.ts'
import type { RotatableAuthority, RotationDriver } from './rotation-driver.ts'
import type { RotatingSidecar, SidecarFacts } from './rotation-facts.ts'
import { createRotationIntent } from './rotation-intent.ts'
import type { SidecarFact } from './rotation-step.ts'
import { answer } from '../rpc-answer.ts'

export interface AuthorityCallDeps {
  readonly authority: RotatableAuthority & Pick<Authority, 'bundle'>
  readonly driver: RotationDriver
  readonly facts: SidecarFacts
  readonly sidecars: {
    connected(): readonly RotatingSidecar[]
    rotateWhere(picks: (sidecar: RotatingSidecar) => boolean): number
    /** Also those that were connected not long ago. */
    known(): readonly SidecarStatus[]
  }
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
  readonly logger: Logger
}

/**
 * The operator's calls about authorities. The single steps keep the two gates of a rotation unless they are forced, and
 * are nobody's while a rotation is under way.
 */
export function createAuthorityCalls(deps: AuthorityCallDeps, defaults: RotationDefaults): AuthorityHandlers {
  const { authority, driver, logger } = deps
  const status = (): AuthorityStatus => readAuthorityStatus({ ...deps, progress: driver.progress })
  async function step(what: string, caller: Caller, act: () => Promise<LogFields>): Promise<AuthorityStatus> {
    const take = async (): Promise<AuthorityStatus> => {
      checkIdle(authority)
      logger.info(what, { by: nameOf(caller), ...(await act()) })
      return status()
    }
    return answer(take())
  }

  return {
    getAuthorities: async () => status(),
    prepare: (request, caller) =>
      step('authority prepared', caller, async () => {
        const kind = parseKind(request.kind)
        const algorithm = parseAlgorithmOf(kind, request.algorithm)
        const { keyId, ...prepared } = await authority.prepare(kind, algorithm && { algorithm })
        return { kind, keyId, algorithm: prepared.algorithm }
      }),
    activate: ({ kind: text, force }, caller) =>
      step('authority activated', caller, async () => {
        const kind = parseKind(text)
        if (!force) checkDistributed(kind, deps)
        const { keyId } = await authority.activate(kind)
        return { kind, keyId, force }
      }),
    taint: ({ kind: text, keyId }, caller) =>
      step('authority tainted', caller, async () => {
        const kind = parseKind(text)
        await authority.taint(kind, keyId)
        const told = deps.sidecars.rotateWhere(({ authorityKeyIds }) => authorityKeyIds.includes(keyId))
        return { kind, keyId, told }
      }),
    revoke: ({ kind: text, keyId, force }, caller) =>
      step('authority revoked', caller, async () => {
        const kind = parseKind(text)
        checkUnused(keyId, force, deps)
        await authority.revoke(kind, keyId)
        return { kind, keyId, force }
      }),
    rotate: (request, caller) => answer(rotate(request, caller)),
  }

  async function rotate(request: RotateAuthoritiesRequest, caller: Caller): Promise<AuthorityStatus> {
    const order = parseRotationOrder(request, defaults)
    if (request.dryRun) {
      const affected = affectedBy(order, authority, deps.sidecars.known())
      return readAuthorityStatus({ ...deps, progress: driver.progress }, affected)
    }
    await driver.order((current) => {
      // An order goes before the schedule, an emergency before all; otherwise what is under way is followed.
      const isMoreUrgent = order.reason === 'emergency' && current?.reason !== 'emergency'
      if (current && current.reason !== 'scheduled' && !isMoreUrgent) return undefined
      const { kinds, reason, algorithm } = order
      logger.info('rotation ordered', { by: nameOf(caller), kinds, reason, algorithm })
      return createRotationIntent(order, deps)
    })
    return status()
  }
}

function checkIdle({ rotation }: Pick<Authority, 'rotation'>): void {
  if (!rotation) return
  const wayOut = 'watch it with "picket ca rotate", which follows it'
  throw new ControlPlaneError('ERR_ROTATION_UNDER_WAY', `a rotation is under way, which takes these steps: ${wayOut}`)
}

function checkDistributed(kind: AuthorityKind, { authority, driver }: AuthorityCallDeps): void {
  const prepared = authority.authorities.value.find((one) => one.kind === kind && one.state === 'prepared')
  if (!prepared) return // the authority says so itself
  const { sidecars } = driver.facts()
  const lacking = sidecars.filter(({ trusts }) => !trusts.has(prepared.keyId))
  if (lacking.length > 0) throw laggards('have not acknowledged the bundle with it', lacking)
}

function checkUnused(keyId: string, force: boolean, { driver }: AuthorityCallDeps): void {
  const { own, sidecars } = driver.facts()
  if (own.includes(keyId)) {
    const problem = "it signed Picket's own SVID, which is being renewed: try again in a moment"
    throw new ControlPlaneError('ERR_ROTATION_LAGGARDS', problem)
  }
  const holders = sidecars.filter(({ holds }) => !holds || holds.includes(keyId))
  if (!force && holders.length > 0) throw laggards('may still hold SVIDs of it', holders)
}

const MOST_NAMES = 5

function laggards(what: string, sidecars: readonly SidecarFact[]): ControlPlaneError {
  const named = sidecars.slice(0, MOST_NAMES).map(({ spiffeId, instanceId }) => `${spiffeId} (${instanceId})`)
  const more = sidecars.length > MOST_NAMES ? ` and ${sidecars.length - MOST_NAMES} more` : ''
  return new ControlPlaneError('ERR_ROTATION_LAGGARDS', `these sidecars ${what}: ${named.join(', ')}${more}`)
}

function nameOf({ id, remote }: Caller): string {
  return id?.uri ?? remote
}
