import { randomBytes, randomUUID } from 'node:crypto'

/** Randomness as a parameter. */
export interface Random {
  /** `count` bytes from the system's cryptographic generator. */
  bytes(count: number): Buffer
  /** A number in [0, 1), for jitter only: never for secrets. */
  fraction(): number
  /** A version 4 UUID (RFC 9562) from the cryptographic generator. */
  uuid(): string
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  fraction: () => Math.random(),
  uuid: () => randomUUID(),
}

/** `value` moved by at most ±`share` of itself, evenly. */
export function jitter(value: number, share: number, random: Random): number {
  return value * (1 + share * (2 * random.fraction() - 1))
}
