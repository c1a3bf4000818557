import { generateKeyPair, type X509Svid } from '@picket/identity'
import type { ControlPlaneClient } from '@picket/rpc'
import {
  backoffMs,
  codeOf,
  messageOf,
  PicketError,
  type Clock,
  type Logger,
  type Random,
  type Watch,
} from '@picket/runtime'
import { AgentError } from './error.ts'
import type { Evidence, ShownEvidence } from './evidence.ts'
import { RENEWAL_RETRY } from './rotation-state.ts'
import { requestSvid, type SvidIssuer, type SvidRequestDeps } from './svid-rotation.ts'

export interface ControlPlaneIssuerDeps {
  /** Speaks as the SVID held. */
  readonly client: Pick<ControlPlaneClient, 'issue'>
  /** Speaks as nobody: an expired SVID is no client certificate. */
  readonly stranger: Pick<ControlPlaneClient, 'attest'>
  readonly svid: Watch<X509Svid | undefined>
  /** From before a restart; the key is still good to ask for a successor. */
  readonly expired: X509Svid | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly evidence: Evidence
  /** Offered the trust bundle that comes with an attestation. */
  readonly trustBundle: (json: string) => Promise<void>
}

/**
 * The control plane as an issuer. While a valid SVID is held, that SVID asks for its successor. One that has expired asks
 * too, by its key, together with evidence that can be shown again; so a sidecar that was cut off comes back by itself.
 * Otherwise, and when the control plane will have neither, evidence proves who asks: the kinds one after another.
 */
export function createControlPlaneIssuer(deps: ControlPlaneIssuerDeps): SvidIssuer {
  const { client, clock, evidence, svid, logger } = deps

  async function present(shown: ShownEvidence, csr: Buffer, signal: AbortSignal): Promise<readonly Buffer[]> {
    const attested = await deps.stranger.attest({ joinToken: '', ...shown, csr }, { signal })
    await deps.trustBundle(attested.trustBundle)
    return attested.svid.chain
  }

  async function attestAnew(csr: Buffer, signal: AbortSignal): Promise<readonly Buffer[]> {
    let refused: Error | undefined
    for (const kind of evidence.kinds) {
      const shown = await kind.show(csr, signal)
      if (!shown) continue
      try {
        return await present(shown, csr, signal)
      } catch (thrown) {
        if (!(thrown instanceof Error) || codeOf(thrown) !== 'ERR_RPC_DENIED') throw thrown
        logger.warn('evidence refused', { evidence: kind.name, error: messageOf(thrown) })
        refused ??= thrown
      }
    }
    throw refused ?? nothingToShow()
  }

  return {
    async issue(csr, signal) {
      const held = svid.value ?? deps.expired
      if (!held) return attestAnew(csr, signal)
      try {
        if (held.notAfter.getTime() > clock.now()) return (await client.issue({ csr }, { signal })).svid.chain
        const chain = await present(await evidence.showExpired(held, csr, signal), csr, signal)
        logger.info('the expired svid was renewed', { spiffeId: held.id.uri, expired: held.notAfter })
        return chain
      } catch (thrown) {
        if (codeOf(thrown) !== 'ERR_RPC_DENIED' || !(await evidence.isFresh())) throw thrown
        logger.warn('the svid held is refused, attesting anew', { error: messageOf(thrown) })
        return attestAnew(csr, signal)
      }
    },
  }
}

function nothingToShow(): AgentError {
  return new AgentError(
    'ERR_NO_JOIN_TOKEN',
    'no valid svid is held and there is no evidence to show: create a join token with "picket token create" and give --join-token-file',
  )
}

/**
 * The first SVID. Waits out an absent control plane with backoff, under one key: a join token whose answer was lost is
 * answered again to the same key. Whatever waiting cannot cure ends the start:
 * `ERR_NO_JOIN_TOKEN`, or `ERR_ATTESTATION_REFUSED` with the cause.
 */
export async function requestFirstSvid(
  deps: SvidRequestDeps & { readonly random: Random; readonly logger: Logger },
  signal: AbortSignal,
): Promise<X509Svid> {
  const keyPair = generateKeyPair()
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestSvid({ ...deps, keyPair }, undefined, signal)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      if (thrown instanceof AgentError && thrown.code !== 'ERR_SVID_MISMATCH') throw thrown
      if (!(thrown instanceof PicketError) || !thrown.retryable) {
        const hint = codeOf(thrown) === 'ERR_RPC_DENIED' ? ' ("picket explain no-identity" tells the operator why)' : ''
        throw new AgentError('ERR_ATTESTATION_REFUSED', `no first svid: ${messageOf(thrown)}${hint}`, { cause: thrown })
      }
      const delayMs = backoffMs(attempt, RENEWAL_RETRY, deps.random)
      deps.logger.warn('no first svid yet', {
        code: codeOf(thrown),
        error: messageOf(thrown),
        attempt,
        retryInMs: delayMs,
      })
      await deps.clock.sleep(delayMs, signal)
    }
  }
}
