import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ChallengeResponse } from '@picket/rpc'
import type { Clock, Random } from '@picket/runtime'

/**
 * Bytes to be signed as a proof that somebody holds a key now. Nothing is remembered of them: they carry their own end
 * and are authenticated with a key that lives as long as the process. That one can be used twice within its minute does
 * not matter, since what is signed holds the hash of the one CSR that gains by it.
 */
export interface Challenges {
  create(): ChallengeResponse
  /** Whether it was made by `create`, not over a minute ago. */
  isGood(challenge: Uint8Array): boolean
}

const LIFE_MS = 60_000
const EXPIRY_BYTES = 8
const RANDOM_BYTES = 16
const MAC_BYTES = 32

export function createChallenges(deps: {
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'bytes'>
}): Challenges {
  const key = deps.random.bytes(MAC_BYTES)
  const macOf = (body: Uint8Array): Buffer => createHmac('sha256', key).update(body).digest()
  return {
    create() {
      const expiresAtMs = deps.clock.now() + LIFE_MS
      const expiry = Buffer.alloc(EXPIRY_BYTES)
      expiry.writeBigUInt64BE(BigInt(expiresAtMs))
      const body = Buffer.concat([expiry, deps.random.bytes(RANDOM_BYTES)])
      return { challenge: Buffer.concat([body, macOf(body)]), expiresAtMs }
    },
    isGood(challenge) {
      if (challenge.length !== EXPIRY_BYTES + RANDOM_BYTES + MAC_BYTES) return false
      const bytes = Buffer.from(challenge)
      const body = bytes.subarray(0, -MAC_BYTES)
      if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), macOf(body))) return false
      return body.readBigUInt64BE() > BigInt(deps.clock.now())
    },
  }
}
