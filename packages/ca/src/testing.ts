import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseTrustDomain } from '@picket/identity'
import { generateSealKeyText, parseSealKey, systemRandom, type Clock, type SealKey } from '@picket/runtime'
import type { Authority } from './authority.ts'
import { initAuthority } from './open-authority.ts'

/** A sealing key that lives as long as the test process. */
export const testSealKey: SealKey = parseSealKey(generateSealKeyText())

/** Runs `body` in a folder of its own, which is gone afterwards. */
export async function inTestFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-ca-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A real authority with a fresh key in `directory`, which must not hold one. */
export function createTestCa(directory: string, trustDomain: string, clock: Clock): Promise<Authority> {
  const options = { trustDomain: parseTrustDomain(trustDomain), sealKey: testSealKey }
  return initAuthority(directory, options, { clock, random: systemRandom })
}
