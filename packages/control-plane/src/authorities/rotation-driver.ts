import type { Authority, AuthorityKind, RotationIntent } from '@picket/ca'
import type { KeyAlgorithm, X509Svid } from '@picket/identity'
import type { RotationProgress } from '@picket/rpc'
import {
  backoffMs,
  createTurns,
  createWatch,
  messageOf,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
  type Tasks,
  type Watch,
  type WatchSource,
} from '@picket/runtime'
import type { RotatingSidecar, SidecarFacts } from './rotation-facts.ts'
import { createRotationEffects } from './rotation-effects.ts'
import { createRotationIntent } from './rotation-intent.ts'
import { measureRotation } from './rotation-metrics.ts'
import { createProgress, idleProgress } from './rotation-progress.ts'
import { nextScheduledAct } from './rotation-schedule.ts'
import { algorithmFor, nextRotationStep, type RotationFacts } from './rotation-step.ts'
import { createWakeUp } from '../wake-up.ts'

/** What a rotation needs of the certificate authority. */
export type RotatableAuthority = Pick<
  Authority,
  | 'authorities'
  | 'rotation'
  | 'setRotation'
  | 'svidAlgorithm'
  | 'setSvidAlgorithm'
  | 'prepare'
  | 'activate'
  | 'taint'
  | 'revoke'
  | 'prune'
>

export interface RotationDriverDeps {
  readonly authority: RotatableAuthority
  readonly facts: SidecarFacts
  readonly sidecars: {
    readonly changed: Watch<number>
    rotateWhere(picks: (sidecar: RotatingSidecar) => boolean): number
  }
  /** Picket's own: of the control plane, of the operator. */
  readonly own: readonly Watch<X509Svid>[]
  readonly denied: { has(keyId: string): boolean; add(keyId: string, untilMs: number): Promise<void> }
  readonly svidAlgorithm: WatchSource<KeyAlgorithm>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: Tasks
}

export interface RotationOptions {
  /** 0 to 1. */
  readonly quorum: number
  /** Of scheduled rotations; undefined = they wait. */
  readonly deadlineMs: number | undefined
  readonly longestMs: Readonly<Record<AuthorityKind, number>>
  /** See `RotationFacts`; 0 where nobody fetches the bundle. */
  readonly publishMs: number
  /** When the authority outside Picket ends that issues ours, if one does. */
  readonly upstreamEndsAtMs?: () => Promise<number | undefined>
}

export interface RotationDriver {
  /** Undefined while none is under way. */
  readonly progress: Watch<RotationProgress | undefined>
  /**
   * Puts what `make` gives in the place of what is under way, between two steps; undefined leaves that as it is. What was
   * ordered is on the disk when it resolves.
   */
  order(make: (current: RotationIntent | undefined) => RotationIntent | undefined): Promise<void>
  /** What the machine sees now. */
  facts(): RotationFacts
}

const RETRY = { firstMs: 500, maxMs: 30_000 } as const
/** Acknowledgements come in swarms; one look is enough for all of them. */
const GATHER_MS = 20
const PRUNE_EVERY_MS = 3_600_000

/**
 * Carries rotations out, those that the schedule begins and those that an operator orders: asks the pure machine for the
 * next step, does it, asks again. It goes on with what a stopped control plane had begun.
 */
export function startRotationDriver(deps: RotationDriverDeps, options: RotationOptions): RotationDriver {
  const { authority, clock, logger, tasks } = deps
  const progress = createWatch<RotationProgress | undefined>(idleProgress(authority.rotation))
  const wakeUp = createWakeUp(clock)
  const facts = (): RotationFacts => readFacts(deps, options)
  measureRotation(deps.metrics, authority, progress)

  const inTurn = createTurns()

  async function begin(intent: RotationIntent): Promise<void> {
    const { id, reason, kinds } = intent
    // Whoever has read one key from this disk may have read the successor's too.
    if (reason === 'emergency') for (const kind of kinds) await prepareAnew(authority, intent, kind)
    await authority.setRotation(intent)
    progress.set(idleProgress(intent))
    logger.info('rotation begins', { id, reason, kinds, algorithm: intent.algorithm, retire: intent.retire })
  }

  const look = createLook({ ...deps, progress, begin, facts }, options)
  tasks.start('rotation', async (signal) => {
    using subscriptions = new DisposableStack()
    for (const watch of [deps.sidecars.changed, authority.authorities, ...deps.own]) {
      subscriptions.use(watch.subscribe(() => wakeUp.now()))
    }
    for (let failures = 0; !signal.aborted;) {
      let againAtMs: number | undefined
      try {
        againAtMs = await inTurn(look)
        failures = 0
      } catch (thrown) {
        failures += 1
        againAtMs = clock.now() + backoffMs(failures, RETRY, deps.random)
        progress.set(withTrouble(progress.value, messageOf(thrown)))
        logger.error('rotation step failed', { error: messageOf(thrown), failures })
      }
      if (againAtMs !== undefined && againAtMs <= clock.now()) continue
      await wakeUp.wait(againAtMs, failures > 0 ? 0 : GATHER_MS, signal)
    }
  })
  return {
    progress,
    facts,
    order: (make) =>
      inTurn(async () => {
        const intent = make(authority.rotation)
        if (!intent) return
        await begin(intent)
        wakeUp.now()
      }),
  }
}

async function prepareAnew(
  authority: Pick<Authority, 'prepare'>,
  intent: RotationIntent,
  kind: AuthorityKind,
): Promise<void> {
  await authority.prepare(kind, { algorithm: algorithmFor(intent, kind), anew: true })
}

function readFacts(
  { authority, clock, facts, own, denied }: RotationDriverDeps,
  options: RotationOptions,
): RotationFacts {
  return {
    nowMs: clock.now(),
    authorities: authority.authorities.value,
    svidAlgorithm: authority.svidAlgorithm,
    ...facts.read(),
    own: own.map((svid) => svid.value.chain[0]!.authorityKeyId ?? ''),
    denied,
    longestMs: options.longestMs,
    publishMs: options.publishMs,
  }
}

interface LookDeps extends Omit<RotationDriverDeps, 'facts'> {
  readonly progress: WatchSource<RotationProgress | undefined>
  begin(intent: RotationIntent): Promise<void>
  facts(): RotationFacts
}

/** One step of whatever is to be done; each call resolves with when to look again. */
function createLook(deps: LookDeps, options: RotationOptions): () => Promise<number | undefined> {
  const { authority, clock, logger, progress } = deps
  const effects = createRotationEffects(deps)
  let prunedAtMs = clock.now()

  async function rotateOn(intent: RotationIntent): Promise<number | undefined> {
    const step = nextRotationStep(intent, deps.facts())
    progress.set(createProgress(intent, step))
    if (step.kind === 'wait') return effects.wait(intent, step.gate)
    await effects.carryOut(intent, step)
    if (step.kind === 'done') progress.set(undefined)
    return clock.now()
  }

  async function prune(): Promise<void> {
    if (clock.now() - prunedAtMs < PRUNE_EVERY_MS) return
    prunedAtMs = clock.now()
    const pruned = await authority.prune()
    if (pruned > 0) logger.info('expired authorities dropped', { pruned })
  }

  async function followSchedule(): Promise<number | undefined> {
    await prune()
    const upstreamEndsAtMs = await options.upstreamEndsAtMs?.()
    const { value: authorities } = authority.authorities
    const act = nextScheduledAct({ nowMs: clock.now(), authorities, upstreamEndsAtMs })
    switch (act.kind) {
      case 'prepare':
        await effects.prepare(act.of)
        return clock.now()
      case 'rotate':
        await deps.begin(createRotationIntent({ ...options, kinds: act.of, reason: 'scheduled', retire: false }, deps))
        return clock.now()
      case 'stuck':
        logger.error('the upstream authority ends too soon: renew its files', { kind: act.of })
        return act.againAtMs
      case 'wait':
        return act.untilMs
    }
  }

  return () => {
    const { rotation } = authority
    return rotation ? rotateOn(rotation) : followSchedule()
  }
}

/** Whoever follows the rotation sees what holds it up. */
function withTrouble(progress: RotationProgress | undefined, reason: string): RotationProgress | undefined {
  return progress && { ...progress, laggards: [{ spiffeId: 'the control plane', instanceId: '', reason }] }
}
