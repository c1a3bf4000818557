import { createCsr, generateKeyPair, parseCsr, parseX509Svid, type SpiffeId, type X509Svid } from '@picket/identity'
import {
  backoffMs,
  createWatch,
  jitter,
  messageOf,
  sleepUnlessAborted,
  type Clock,
  type Logger,
  type Random,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import type { Issuer } from './issuer.ts'

export interface OwnSvidDeps {
  readonly issuer: Issuer
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly tasks: Tasks
}

const RETRY = { firstMs: 1000, maxMs: 30_000 } as const

/**
 * An SVID for Picket's own use (the control plane, the operator), renewed at half its life with a new key each time. The
 * first one is there when the promise resolves; a renewal that fails keeps the old one and is tried again.
 */
export async function keepSvid(deps: OwnSvidDeps, id: SpiffeId, ttlMs: number): Promise<Watch<X509Svid>> {
  const { clock, random, logger, tasks } = deps
  const svid = createWatch(await issueSvid(deps.issuer, id, ttlMs))
  tasks.start(`renew ${id.uri}`, async (signal) => {
    let failures = 0
    const halfLifeMs = (): number => Math.max(0, (svid.value.notAfter.getTime() - clock.now()) / 2)
    let waitMs = jitter(halfLifeMs(), 0.1, random)
    while (await sleepUnlessAborted(clock, waitMs, signal)) {
      try {
        svid.set(await issueSvid(deps.issuer, id, ttlMs))
        failures = 0
        waitMs = jitter(halfLifeMs(), 0.1, random)
      } catch (thrown) {
        failures += 1
        waitMs = backoffMs(failures, RETRY, random)
        logger.error('own svid is not renewed', { spiffeId: id.uri, error: messageOf(thrown), failures })
      }
    }
  })
  return svid
}

async function issueSvid(issuer: Issuer, id: SpiffeId, ttlMs: number): Promise<X509Svid> {
  const keyPair = generateKeyPair()
  const chain = await issuer.issue({ csr: parseCsr(createCsr(keyPair)), id, ttlMs, caller: 'picket' })
  return parseX509Svid(chain, keyPair.privateKey)
}
