import type { AuthorityKind, RotationIntent } from '@picket/ca'
import type { Laggard } from '@picket/rpc'
import type { RotationDriverDeps } from './rotation-driver.ts'
import type { RotatingSidecar } from './rotation-facts.ts'
import type { RotationGate, RotationStep } from './rotation-step.ts'

/** What the machine's steps do to the world, and what is said of them. */
export interface RotationEffects {
  prepare(kind: AuthorityKind): Promise<void>
  /** Tells those who are waited for; gives when to look again. */
  wait(intent: RotationIntent, gate: RotationGate): number | undefined
  carryOut(intent: RotationIntent, step: Exclude<RotationStep, { kind: 'wait' }>): Promise<void>
}

type EffectDeps = Omit<RotationDriverDeps, 'facts'>

/** A sidecar that was told and has not renewed is told again. */
const TELL_AGAIN_MS = 10_000
const COMPLAIN_EVERY_MS = 60_000
const MOST_NAMES = 10
/** Of one kind, before expired ones are dropped early. */
const MOST_AT_REST = 8

export function createRotationEffects(deps: EffectDeps): RotationEffects {
  const { authority, clock, logger } = deps
  const told = new Map<string, number>()
  let complainAtMs = 0

  async function prepare(kind: AuthorityKind, options: Parameters<typeof authority.prepare>[1] = {}): Promise<void> {
    await makeRoom(kind, deps)
    const { keyId, algorithm, notAfter } = await authority.prepare(kind, options)
    logger.info('authority prepared', { kind, keyId, algorithm, notAfter })
  }

  function complain({ id }: RotationIntent, { phase, connected, laggards }: RotationGate): void {
    const nowMs = clock.now()
    if (laggards.length === 0 || nowMs < complainAtMs) return
    if (complainAtMs > 0) {
      logger.warn('rotation waits for sidecars', { id, phase, connected, number: laggards.length, ...named(laggards) })
    }
    complainAtMs = nowMs + (complainAtMs > 0 ? COMPLAIN_EVERY_MS : TELL_AGAIN_MS)
  }

  async function carryOut(intent: RotationIntent, step: Exclude<RotationStep, { kind: 'wait' }>): Promise<void> {
    complainAtMs = 0
    switch (step.kind) {
      case 'prepare':
        return prepare(step.of, step.algorithm && { algorithm: step.algorithm })
      case 'activate':
        alarm(step, deps)
        await authority.activate(step.of, step.keyId)
        return logger.info('authority activated', { kind: step.of, keyId: step.keyId, because: step.because })
      case 'set-svid-algorithm':
        await authority.setSvidAlgorithm(step.algorithm)
        deps.svidAlgorithm.set(step.algorithm)
        return logger.info('key algorithm of SVIDs changed', { algorithm: step.algorithm })
      case 'taint':
        await authority.taint(step.of, step.keyId)
        return logger.info('authority tainted', { kind: step.of, keyId: step.keyId })
      case 'deny':
        await deps.denied.add(step.keyId, step.untilMs)
        return logger.warn('authority key denied', { keyId: step.keyId })
      case 'revoke':
        alarm(step, deps)
        await authority.revoke(step.of, step.keyId)
        return logger.info('authority revoked', { kind: step.of, keyId: step.keyId })
      case 'done': {
        await authority.setRotation(undefined)
        told.clear()
        const tookMs = clock.now() - intent.startedAt.getTime()
        return logger.info('rotation done', { id: intent.id, reason: intent.reason, tookMs })
      }
    }
  }

  return {
    prepare,
    carryOut,
    wait(intent, gate) {
      if (gate.retiring.length > 0) tellToRenew(gate.retiring, told, deps)
      complain(intent, gate)
      const soonMs = gate.laggards.length > 0 ? clock.now() + TELL_AGAIN_MS : undefined
      return Math.min(gate.lookAgainAtMs ?? Number.POSITIVE_INFINITY, soonMs ?? Number.POSITIVE_INFINITY)
    },
  }
}

function named(laggards: readonly Laggard[]): { readonly laggards: readonly string[] } {
  return { laggards: laggards.slice(0, MOST_NAMES).map(({ spiffeId, instanceId }) => `${spiffeId} ${instanceId}`) }
}

/** Those that live shorter than expired ones are kept would add up to the most that there can be. */
async function makeRoom(kind: AuthorityKind, { authority, clock, logger }: EffectDeps): Promise<void> {
  const all = authority.authorities.value.filter((one) => one.kind === kind)
  if (all.length < MOST_AT_REST) return
  for (const { keyId, state, notAfter } of all) {
    if (state !== 'old' || notAfter.getTime() > clock.now()) continue
    await authority.revoke(kind, keyId)
    logger.info('expired authority dropped', { kind, keyId })
  }
}

/** Once to each sidecar's SVID, and again after a while. What a sidecar says of its SVID keeps no other from hearing it. */
function tellToRenew(retiring: readonly string[], told: Map<string, number>, deps: EffectDeps): void {
  const nowMs = deps.clock.now()
  for (const [key, toldAtMs] of told) if (toldAtMs + TELL_AGAIN_MS <= nowMs) told.delete(key)
  const number = deps.sidecars.rotateWhere(({ spiffeId, instanceId, svidSerial, authorityKeyIds }: RotatingSidecar) => {
    if (!authorityKeyIds.some((keyId) => retiring.includes(keyId))) return false
    const key = `${spiffeId} ${instanceId} ${svidSerial}`
    if (told.has(key)) return false
    told.set(key, nowMs)
    return true
  })
  if (number > 0) deps.logger.info('sidecars told to renew', { number })
}

/** Going on without somebody is worth an alarm. */
function alarm(step: Extract<RotationStep, { kind: 'activate' | 'revoke' }>, { logger, metrics }: EffectDeps): void {
  const because = step.kind === 'activate' ? step.because : 'deadline'
  if (step.laggards.length === 0) return
  metrics.counter('picket_rotation_forced_total', 'Steps taken without waiting for everybody', { because }).add()
  const fields = { step: step.kind, kind: step.of, because, number: step.laggards.length, ...named(step.laggards) }
  logger.error('rotation goes on without some sidecars', fields)
}
