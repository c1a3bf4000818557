import {
  createCsr,
  generateKeyPairAsync,
  parseCsr,
  parseX509Svid,
  type SpiffeId,
  type X509Svid,
} from '@picket/identity'
import {
  backoffMs,
  createWatch,
  jitter,
  messageOf,
  type Clock,
  type Logger,
  type Random,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import type { Issuer } from '../issuer.ts'
import { createWakeUp } from '../wake-up.ts'

export interface OwnSvidDeps {
  readonly issuer: Issuer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly tasks: Tasks
}

const RETRY = { firstMs: 1000, maxMs: 30_000 } as const

/**
 * An SVID for Picket's own use (the control plane, the operator), renewed at half its life with a new key each time, and
 * at once when another authority becomes the active one. The first one is there when the promise resolves; a renewal that
 * fails keeps the old one and is tried again.
 */
export async function keepSvid(deps: OwnSvidDeps, id: SpiffeId, ttlMs: number): Promise<Watch<X509Svid>> {
  const { issuer, clock, random, logger, tasks } = deps
  const svid = createWatch(await issueSvid(issuer, id, ttlMs))
  const wakeUp = createWakeUp(clock)
  const halfLifeMs = (): number => Math.max(0, (svid.value.notAfter.getTime() - clock.now()) / 2)
  const isOfActive = (): boolean => svid.value.chain[0]!.authorityKeyId === activeKeyId(issuer)
  tasks.start(`renew ${id.uri}`, async (signal) => {
    using _subscription = issuer.authorities.subscribe(() => void (isOfActive() || wakeUp.now()))
    for (let failures = 0; ;) {
      const restMs = failures > 0 ? backoffMs(failures, RETRY, random) : jitter(halfLifeMs(), 0.1, random)
      if (failures > 0 || isOfActive()) await wakeUp.wait(clock.now() + restMs, 0, signal)
      if (signal.aborted) return
      try {
        svid.set(await issueSvid(issuer, id, ttlMs))
        failures = 0
      } catch (thrown) {
        failures += 1
        logger.error('own svid is not renewed', { spiffeId: id.uri, error: messageOf(thrown), failures })
      }
    }
  })
  return svid
}

function activeKeyId({ authorities }: Issuer): string | undefined {
  return authorities.value.find(({ kind, state }) => kind === 'x509' && state === 'active')?.keyId
}

async function issueSvid(issuer: Issuer, id: SpiffeId, ttlMs: number): Promise<X509Svid> {
  const keyPair = await generateKeyPairAsync(issuer.svidAlgorithm)
  const chain = await issuer.issue({ csr: parseCsr(createCsr(keyPair)), id, ttlMs, caller: 'picket' })
  return parseX509Svid(chain, keyPair.privateKey)
}
