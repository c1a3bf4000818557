import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { buildBundle } from './build.ts'
import { loadPolicyBundle, type PolicyBundle } from './bundle.ts'
import type { PolicyEngine } from './decider.ts'
import { createPolicyEngine } from './engine.ts'
import type { Opa } from './opa.ts'

/** `fixtures/traps.rego`, compiled: this package's own tests need no OPA for it. */
export const TRAPS_FOLDER = fileURLToPath(new URL('../fixtures', import.meta.url))

const TRAPS_FILE = `${TRAPS_FOLDER}/traps.bundle.tar.gz`

const RULES = [
  'absent',
  'conflict',
  'wrong_type',
  'an_object',
  'host_failure',
  'runaway',
  'hungry',
  'not_blocked',
  'not_listed',
  'exact',
  'echo',
  'headers',
  'whole',
  'denied',
  'failing_reason',
] as const

export type Trap = (typeof RULES)[number]

export async function loadTraps(): Promise<PolicyBundle> {
  return loadPolicyBundle(await readFile(TRAPS_FILE))
}

/** An engine that asks one of the rules for its decisions. */
export async function createTrapEngine(rule: Trap, explanation: 'reason' | Trap = 'reason'): Promise<PolicyEngine> {
  return createPolicyEngine(await loadTraps(), { entrypoint: `traps/${rule}`, explanation: `traps/${explanation}` })
}

export function buildTraps(opa: Opa): Promise<PolicyBundle> {
  const entrypoints = RULES.map((rule) => `traps/${rule}`).filter((rule) => rule !== 'traps/denied')
  return buildBundle(TRAPS_FOLDER, { opa, entrypoint: 'traps/denied', explanation: 'traps/reason', entrypoints })
}

export async function updateTraps(opa: Opa): Promise<void> {
  const { bytes } = await buildTraps(opa)
  await writeFile(TRAPS_FILE, bytes)
}
