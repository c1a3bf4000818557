import { createHash, timingSafeEqual } from 'node:crypto'
import type { CreateTokenRequest, CreateTokenResponse } from '@picket/rpc'
import type { Clock, Logger, Random } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { parseFacts } from './selectors.ts'

/**
 * Join tokens: the proof that a new workload brings. 256 random bits, shown once; the database keeps the SHA-256, so that
 * reading it gives nobody a token (a plain hash is enough for a random secret of that size). The public `id` finds the
 * row, the hash is compared in constant time, and the one use is decided by one conditional UPDATE: of many that come at
 * once with one token exactly one gets in. The use is bound to the key that is certified for it.
 */
export interface StoredToken {
  readonly id: string
  readonly secretSha256: Uint8Array
  /** What the token proves about who presents it. */
  readonly facts: readonly string[]
  readonly expiresAtMs: number
  readonly usedAtMs: number | undefined
  /** SHA-256 of the public key that used it, hex. */
  readonly usedByKey: string | undefined
  /** What that led to. */
  readonly attestationId: string | undefined
}

/** A token that may be used: for the first time, or again by the key that has `attestationId` from it. */
export type UsableToken = Pick<StoredToken, 'id' | 'facts' | 'attestationId'>

export interface TokenStore {
  insertToken(token: StoredToken, createdAtMs: number, createdBy: string): Promise<void>
  findToken(id: string): Promise<StoredToken | undefined>
}

/** Why a token is not taken. All three look the same from outside. */
export type TokenDenialReason = 'token-unknown' | 'token-used' | 'token-expired'

export interface JoinTokens {
  create(request: CreateTokenRequest, by: string): Promise<CreateTokenResponse>
  /**
   * The token behind `text`, not used up yet, or used by this very key: whoever lost the answer asks again.
   * Throws `ERR_TOKEN_INVALID` for what is no token at all.
   */
  check(text: string, keySha256: string): Promise<UsableToken | TokenDenialReason>
}

const DEFAULT_TTL_SECONDS = 600
const MOST_TTL_SECONDS = 24 * 3600
/** How long a lost answer may be asked for again: long enough for a restart, short for a token of a day. */
const ANSWERED_AGAIN_MS = 600_000

interface JoinTokensDeps {
  readonly store: TokenStore
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'bytes'>
  readonly logger: Logger
}

export function createJoinTokens({ store, clock, random, logger }: JoinTokensDeps): JoinTokens {
  return {
    async create({ selectors, ttlSeconds }, by) {
      const facts = parseFacts(selectors)
      if (ttlSeconds > MOST_TTL_SECONDS) {
        throw new ControlPlaneError('ERR_TOKEN_INVALID', `ttl_seconds: ${ttlSeconds} is over ${MOST_TTL_SECONDS}`)
      }
      const id = random.bytes(8).toString('hex')
      const secret = random.bytes(32)
      const nowMs = clock.now()
      const expiresAtMs = nowMs + (ttlSeconds || DEFAULT_TTL_SECONDS) * 1000
      const unused = { usedAtMs: undefined, usedByKey: undefined, attestationId: undefined }
      const token = { id, secretSha256: sha256(secret), facts, expiresAtMs, ...unused }
      await store.insertToken(token, nowMs, by)
      logger.info('join token created', { by, id, selectors: facts, expiresAt: new Date(expiresAtMs) })
      return { token: `picket_join_${id}_${secret.toString('base64url')}`, expiresAtMs }
    },
    async check(text, keySha256) {
      const { id, secret } = parseToken(text)
      const token = await store.findToken(id)
      if (!token || !timingSafeEqual(token.secretSha256, sha256(secret))) return 'token-unknown'
      if (token.usedAtMs === undefined) return token.expiresAtMs <= clock.now() ? 'token-expired' : token
      const isRepeatable = token.usedByKey === keySha256 && clock.now() < token.usedAtMs + ANSWERED_AGAIN_MS
      if (!isRepeatable) return 'token-used'
      return token.expiresAtMs <= clock.now() ? 'token-expired' : token
    },
  }
}

function parseToken(text: string): { id: string; secret: Buffer } {
  const match = /^picket_join_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(text.trim())
  if (!match) throw new ControlPlaneError('ERR_TOKEN_INVALID', 'this is not a join token')
  return { id: match[1]!, secret: Buffer.from(match[2]!, 'base64url') }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
