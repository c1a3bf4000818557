import type { Table } from '../table.ts'
import { measureFleet } from './fleet.ts'
import { measureIssuance } from './issuance.ts'
import { measureSigning } from './signing.ts'

export interface IdentityOptions {
  readonly rounds: number
  readonly seconds: number
  /** Connected at once in the tables about a fleet. */
  readonly sidecars: number
  readonly say: (line: string) => void
}

/** What identity costs: the authority, the verifier, the control plane under load, a fleet that follows it. */
export async function measureIdentity({ sidecars, say, ...options }: IdentityOptions): Promise<Table[]> {
  say('signs and verifies')
  const signing = await measureSigning({ ...options, seconds: Math.min(options.seconds, 3) })
  say('issues over gRPC')
  const issuance = await measureIssuance({ ...options, seconds: Math.min(options.seconds, 4) })
  return [...signing, issuance, ...(await measureFleet(sidecars, say))]
}
