import { parseSpiffeId, type TrustDomain } from '@picket/identity'
import type { Denial, ExplainIdentityRequest, ExplainIdentityResponse, NearMiss } from '@picket/rpc'
import { messageOf, type Clock } from '@picket/runtime'
import type { Denials } from './denials.ts'
import { findEntitlement, toNearMiss, type EntitlementStore } from './entitlement.ts'
import { couldBecome } from './entry-template.ts'
import { ControlPlaneError } from '../error.ts'
import { parseFacts } from '../attestors/selectors.ts'

export interface ExplanationDeps {
  readonly store: EntitlementStore
  readonly denials: Denials
  readonly trustDomain: TrustDomain
  readonly clock: Pick<Clock, 'now'>
}

const MOST = { near: 20, denials: 50, entries: 1000, guesses: 3 } as const

/** Why somebody has no identity. Throws `ERR_ENTRY_INVALID` for a question that is none. */
export async function explainIdentity(
  deps: ExplanationDeps,
  { spiffeId, facts }: ExplainIdentityRequest,
): Promise<ExplainIdentityResponse> {
  if (spiffeId !== '' && facts.length > 0) throw invalid('ask for a SPIFFE ID or for facts, not for both')
  if (facts.length > 0)
    return explainFacts(
      deps,
      read(() => parseFacts(facts)),
    )
  if (spiffeId !== '') return explainId(deps, read(() => parseSpiffeId(spiffeId)).uri)
  return { entitled: [], near: [], denials: await withGuesses(deps, deps.denials.newest(MOST.denials)) }
}

async function explainFacts(deps: ExplanationDeps, facts: readonly string[]): Promise<ExplainIdentityResponse> {
  const { store, trustDomain, clock, denials } = deps
  const { identities, problems } = await findEntitlement(store, trustDomain, facts, clock.now())
  const asked = await store.nearEntries(facts, MOST.near)
  const near = [...problems, ...asked.map((entry) => toNearMiss(entry, facts))]
  if (identities.length === 0 && near.length === 0) near.push(...(await guess(deps, facts)))
  const isAbout = (denial: Denial): boolean => facts.every((fact) => denial.facts.includes(fact))
  return {
    entitled: [...new Set(identities.map((identity) => identity.spiffeId.uri))],
    near: near.slice(0, MOST.near),
    denials: denials.newest(MOST.denials, isAbout),
  }
}

/** Where no entry came near, the one that was perhaps meant. Guessed when an operator asks: strangers do not make us work. */
async function withGuesses(deps: ExplanationDeps, denials: readonly Denial[]): Promise<readonly Denial[]> {
  return Promise.all(
    denials.map(async (denial) =>
      denial.near.length > 0 ? denial : { ...denial, near: await guess(deps, denial.facts) },
    ),
  )
}

async function guess({ store }: ExplanationDeps, facts: readonly string[]): Promise<readonly NearMiss[]> {
  const similar = await store.similarEntries(facts, MOST.guesses)
  return similar.map((entry) => toNearMiss(entry, facts, 'no fact of it was proved: is one misspelt?'))
}

/** The entries that give the ID, measured against what was proved by those who were refused it. */
async function explainId({ store, denials }: ExplanationDeps, uri: string): Promise<ExplainIdentityResponse> {
  const entries = (await store.entriesFor(uri, MOST.entries)).filter((entry) => couldBecome(entry.spiffeId, uri))
  const texts = new Set(entries.map((entry) => entry.spiffeId.text))
  const isAbout = (denial: Denial): boolean =>
    denial.spiffeId === uri || denial.near.some((miss) => miss.spiffeId === uri || texts.has(miss.spiffeId))
  const refused = denials.newest(MOST.denials, isAbout)
  const near = entries.map((entry): NearMiss => {
    const told = refused.flatMap((denial) => denial.near).find(({ entryId }) => entryId === entry.id)
    return told ?? toNearMiss(entry, refused[0]?.facts ?? [])
  })
  return { entitled: [], near: near.slice(0, MOST.near), denials: refused }
}

function read<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw invalid(messageOf(cause), cause)
  }
}

function invalid(message: string, cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('ERR_ENTRY_INVALID', message, { cause })
}
