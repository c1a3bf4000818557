import { createHash, timingSafeEqual } from 'node:crypto'
import { Secret, type Clock, type Random } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'
import { parseSelectors } from './selectors.ts'
import type { Database } from './store/database.ts'

/**
 * Join tokens: 256 random bits, shown once, good for one attestation within their time. The database holds the SHA-256
 * only; with that much entropy a plain hash cannot be searched. Looking the hash up is not constant in time, but what
 * leaks is a prefix of a hash that the guesser cannot steer towards; the compare that decides is constant in time.
 * Redeeming is one transaction, so of two racing presenters exactly one wins, also across processes.
 */
export interface JoinTokens {
  /** `ttlMs` 0 = 600 s; at most 24 h. Throws `ERR_SELECTOR`, `ERR_TOKEN_TTL`. */
  create(selectors: readonly string[], ttlMs: number): { token: Secret<string>; expiresAtMs: number }
  /** Uses the token up. */
  redeem(token: Secret<string>): JoinTokenVerdict
}

/** All three refusals look the same to the presenter; the reason is for the log. */
export type JoinTokenVerdict =
  | { readonly kind: 'redeemed'; readonly facts: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: 'token_unknown' | 'token_used' | 'token_expired' }

export const DEFAULT_TOKEN_TTL_MS = 600_000
const MAX_TOKEN_TTL_MS = 24 * 3600 * 1000
/** Used and expired tokens are kept this long, so that a replay is told from a guess in the log. */
const REMEMBER_MS = 24 * 3600 * 1000
const TOKEN_SHAPE = /^[A-Za-z0-9_-]{43}$/

export function createJoinTokens(database: Database, deps: { clock: Clock; random: Random }): JoinTokens {
  const { sql } = database
  const insert = sql.prepare('INSERT INTO join_tokens (hash, selectors, expires_at_ms) VALUES (?, ?, ?)')
  const forget = sql.prepare('DELETE FROM join_tokens WHERE expires_at_ms < ?')
  const find = sql.prepare('SELECT hash, selectors, expires_at_ms, used_at_ms FROM join_tokens WHERE hash = ?')
  const use = sql.prepare('UPDATE join_tokens SET used_at_ms = ? WHERE hash = ? AND used_at_ms IS NULL')

  return {
    create(selectors, ttlMs) {
      if (!Number.isInteger(ttlMs) || ttlMs < 0 || ttlMs > MAX_TOKEN_TTL_MS) {
        throw new ControlPlaneError('ERR_TOKEN_TTL', 'a join token lives between 1 s and 24 h')
      }
      const facts = parseSelectors(selectors)
      const token = new Secret(deps.random.bytes(32).toString('base64url'))
      const expiresAtMs = deps.clock.now() + (ttlMs === 0 ? DEFAULT_TOKEN_TTL_MS : ttlMs)
      database.transaction(() => {
        forget.run(deps.clock.now() - REMEMBER_MS)
        insert.run(hashOf(token), JSON.stringify(facts), expiresAtMs)
      })
      return { token, expiresAtMs }
    },
    redeem(token) {
      if (!TOKEN_SHAPE.test(token.reveal())) return { kind: 'refused', reason: 'token_unknown' }
      const hash = hashOf(token)
      return database.transaction((): JoinTokenVerdict => {
        const row = find.get(hash)
        if (!row || !timingSafeEqual(row['hash'] as Uint8Array, hash))
          return { kind: 'refused', reason: 'token_unknown' }
        if (row['used_at_ms'] !== null) return { kind: 'refused', reason: 'token_used' }
        const now = deps.clock.now()
        if (Number(row['expires_at_ms']) <= now) return { kind: 'refused', reason: 'token_expired' }
        if (use.run(now, hash).changes !== 1) return { kind: 'refused', reason: 'token_used' }
        return { kind: 'redeemed', facts: JSON.parse(String(row['selectors'])) as string[] }
      })
    },
  }
}

function hashOf(token: Secret<string>): Buffer {
  return createHash('sha256').update(token.reveal()).digest()
}
