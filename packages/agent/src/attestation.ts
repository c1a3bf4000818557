import { open } from 'node:fs/promises'
import type { X509Svid } from '@picket/identity'
import { type AttestResponse, type ControlPlaneClient } from '@picket/rpc'
import {
  backoffMs,
  codeOf,
  messageOf,
  PicketError,
  type Clock,
  type Logger,
  type Random,
  type Secret,
  type Watch,
} from '@picket/runtime'
import { AgentError } from './error.ts'
import { parseJoinToken } from './join-token.ts'
import { RENEWAL_RETRY } from './rotation-state.ts'
import { requestSvid, type SvidIssuer, type SvidRequestDeps } from './svid-rotation.ts'

export interface ControlPlaneIssuerDeps {
  readonly client: Pick<ControlPlaneClient, 'attest' | 'issue'>
  readonly svid: Watch<X509Svid | undefined>
  readonly clock: Clock
  readonly joinTokens: JoinTokens
  /** Offered the trust bundle that comes with a first SVID. */
  readonly trustBundle: (json: string) => Promise<void>
}

/**
 * The control plane as an issuer: while a valid SVID is held, that SVID asks for its successor; otherwise, and when the
 * control plane does not know the SVID (any more) and there is a token that was not presented yet, a join token proves
 * who asks.
 */
export function createControlPlaneIssuer(deps: ControlPlaneIssuerDeps): SvidIssuer {
  const { client, clock, joinTokens, svid } = deps
  return {
    async issue(csr, signal) {
      const held = svid.value
      if (held && held.notAfter.getTime() > clock.now()) {
        try {
          return (await client.issue({ csr }, { signal })).svid.chain
        } catch (thrown) {
          if (codeOf(thrown) !== 'ERR_RPC_DENIED' || !(await joinTokens.isFresh())) throw thrown
        }
      }
      const attested = await attest(deps, csr, signal)
      await deps.trustBundle(attested.trustBundle)
      return attested.svid.chain
    },
  }
}

async function attest(
  { client, joinTokens }: ControlPlaneIssuerDeps,
  csr: Buffer,
  signal: AbortSignal,
): Promise<AttestResponse> {
  const token = await joinTokens.take()
  if (!token) {
    throw new AgentError(
      'ERR_NO_JOIN_TOKEN',
      'no valid svid is held and there is no join token: create one with "picket token create" and give --join-token-file',
    )
  }
  return client.attest({ joinToken: token.reveal(), csr }, { signal })
}

/**
 * The first SVID. Waits out an absent control plane with backoff; whatever waiting cannot cure ends the start:
 * `ERR_NO_JOIN_TOKEN`, or `ERR_ATTESTATION_REFUSED` with the cause.
 */
export async function requestFirstSvid(
  deps: SvidRequestDeps & { readonly random: Random; readonly logger: Logger },
  signal: AbortSignal,
): Promise<X509Svid> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestSvid(deps, undefined, signal)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      if (thrown instanceof AgentError && thrown.code !== 'ERR_SVID_MISMATCH') throw thrown
      if (!(thrown instanceof PicketError) || !thrown.retryable) {
        throw new AgentError('ERR_ATTESTATION_REFUSED', `no first svid: ${messageOf(thrown)}`, { cause: thrown })
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

/** The join token as it was given, or as its file says at the moment: an operator may put a new one there. */
export interface JoinTokens {
  /** The token to present now. Throws `ERR_JOIN_TOKEN_FILE`. */
  take(): Promise<Secret<string> | undefined>
  /** True when there is a token other than the one presented last: tokens are good for one use. */
  isFresh(): Promise<boolean>
}

export function createJoinTokens(joinToken: Secret<string> | undefined, file: string | undefined): JoinTokens {
  let presented: string | undefined
  const read = async (): Promise<Secret<string> | undefined> =>
    joinToken ?? (file === undefined ? undefined : readTokenFile(file))
  return {
    async take() {
      const token = await read()
      presented = token?.reveal()
      return token
    },
    async isFresh() {
      try {
        const token = await read()
        return token !== undefined && token.reveal() !== presented
      } catch {
        return false
      }
    },
  }
}

const JOIN_TOKEN_BYTES = 1024

async function readTokenFile(file: string): Promise<Secret<string>> {
  try {
    await using handle = await open(file, 'r')
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(JOIN_TOKEN_BYTES), 0, JOIN_TOKEN_BYTES, 0)
    return parseJoinToken(buffer.toString('utf8', 0, bytesRead))
  } catch (cause) {
    throw new AgentError('ERR_JOIN_TOKEN_FILE', `joinTokenFile ${file}: ${messageOf(cause)}`, { cause })
  }
}
