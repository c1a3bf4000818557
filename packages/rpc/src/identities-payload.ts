import { parseKeyAlgorithm, parseSpiffeId, parseTrustDomain, type KeyAlgorithm, type SpiffeId } from '@picket/identity'
import { countOf, listOf, readPayload, textOf, textsOf, writePayload } from './payload-json.ts'

/** One SPIFFE ID that a sidecar's evidence entitles it to, and what its SVID is to be like. */
export interface IdentityRecord {
  readonly spiffeId: SpiffeId
  /** What it is for, where there are several; '' = no hint. */
  readonly hint: string
  /** Of type `unix` only: which processes behind this sidecar may have it; none = whoever may open its socket. */
  readonly selectors: readonly string[]
  /** Names of further trust domains whose bundles its holder is given. */
  readonly federatesWith: readonly string[]
  readonly keyAlgorithm: KeyAlgorithm
  /** What the control plane would put into the next SVID: one that was issued under other words is renewed. 0 = default. */
  readonly ttlSeconds: number
  readonly dnsNames: readonly string[]
}

export interface Identities {
  /**
   * The first is the default identity: the one that the sidecar authenticates with. A SPIFFE ID that two entries give to
   * different processes is there twice.
   */
  readonly identities: readonly IdentityRecord[]
}

/** SPIRE's agents keep a thousand SVIDs too; beyond that a sidecar is no longer one workload's. */
export const MOST_IDENTITIES = 1000

const MOST = { selectors: 64, selectorCharacters: 1024, hintCharacters: 1024, domains: 256, names: 64 } as const
const MOST_SECONDS = 100 * 366 * 86_400
const NAME_CHARACTERS = 255

export function encodeIdentities({ identities }: Identities): Buffer {
  const records = identities.map((identity) => {
    const { spiffeId, hint, selectors, federatesWith, keyAlgorithm, ttlSeconds, dnsNames } = identity
    return JSON.stringify({
      spiffeId: spiffeId.uri,
      hint,
      selectors: [...selectors].sort(),
      federatesWith: [...federatesWith].sort(),
      keyAlgorithm,
      ttlSeconds,
      dnsNames,
    })
  })
  return writePayload('identities', records)
}

/** Throws `ERR_RPC_INVALID`: also for none at all and for an algorithm that is not known. */
export function parseIdentities(bytes: Uint8Array): Identities {
  return readPayload(bytes, 'identities', (root) => {
    const identities = listOf(root, 'identities', MOST_IDENTITIES).map(readRecord)
    if (identities.length === 0) throw new TypeError('there is no default identity')
    return { identities }
  })
}

function readRecord(record: unknown): IdentityRecord {
  return {
    spiffeId: parseSpiffeId(textOf(record, 'spiffeId')),
    hint: textOf(record, 'hint', MOST.hintCharacters),
    selectors: textsOf(record, 'selectors', MOST.selectors, MOST.selectorCharacters).map(checkSelector),
    federatesWith: textsOf(record, 'federatesWith', MOST.domains, NAME_CHARACTERS).map(
      (name) => parseTrustDomain(name).name,
    ),
    keyAlgorithm: parseKeyAlgorithm(textOf(record, 'keyAlgorithm', NAME_CHARACTERS)),
    ttlSeconds: countOf(record, 'ttlSeconds', MOST_SECONDS),
    dnsNames: textsOf(record, 'dnsNames', MOST.names, NAME_CHARACTERS),
  }
}

/** A selector that this sidecar cannot check must not be passed over: the identity would be anybody's. */
function checkSelector(selector: string): string {
  if (!selector.startsWith('unix:')) throw new TypeError('a selector is not of type "unix"')
  return selector
}
