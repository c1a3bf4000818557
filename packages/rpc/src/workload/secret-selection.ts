import { RpcError } from '../rpc-error.ts'
import type { Node__Output } from './generated/envoy/config/core/v3/Node.ts'
import type { SecretState } from './messages.ts'
import { encodeAuthorities, encodeCertificate, encodeSpiffeAuthorities, type EncodedSecret } from './secret-codec.ts'

/** The names that SPIRE gave: the default identity, the own trust domain's authorities, those of all trust domains. */
const DEFAULT_SVID = 'default'
const DEFAULT_BUNDLE = 'ROOTCA'
const ALL_BUNDLES = 'ALL'

/** What the Envoy at the other end can do. */
export interface SecretDialect {
  /** It verifies a peer with the bundle of the peer's own trust domain, and with no other: Envoy 1.18 and later. */
  readonly spiffeValidator: boolean
}

export function dialectOf(node: Node__Output | null): SecretDialect {
  const version = node?.userAgentBuildVersion?.version
  if (!version) return { spiffeValidator: false }
  const { majorNumber, minorNumber } = version
  return { spiffeValidator: majorNumber > 1 || (majorNumber === 1 && minorNumber >= 18) }
}

type Make = () => EncodedSecret

/** Every secret that has a name: `default`, `ROOTCA`, `ALL`, the SPIFFE IDs and the trust domains' own. */
function secretsByName({ svids, bundles }: SecretState, { spiffeValidator }: SecretDialect): ReadonlyMap<string, Make> {
  const [own] = bundles
  const named = new Map<string, Make>()
  const oneBundle = (name: string, bundle: SecretState['bundles'][number]): Make =>
    spiffeValidator ? () => encodeSpiffeAuthorities(name, [bundle]) : () => encodeAuthorities(name, bundle.authorities)
  for (const bundle of bundles) named.set(bundle.trustDomain, oneBundle(bundle.trustDomain, bundle))
  for (const svid of svids) named.set(svid.spiffeId, () => encodeCertificate(svid.spiffeId, svid))
  return named.size === 0 ? named : withDefaults()

  function withDefaults(): ReadonlyMap<string, Make> {
    if (svids[0]) named.set(DEFAULT_SVID, () => encodeCertificate(DEFAULT_SVID, svids[0]!))
    if (own) named.set(DEFAULT_BUNDLE, oneBundle(DEFAULT_BUNDLE, own))
    if (spiffeValidator) named.set(ALL_BUNDLES, () => encodeSpiffeAuthorities(ALL_BUNDLES, bundles))
    return named
  }
}

const ALIASES = new Set([DEFAULT_SVID, DEFAULT_BUNDLE, ALL_BUNDLES])

export interface Selection {
  readonly secrets: readonly EncodedSecret[]
  readonly unknown: readonly string[]
}

/** The secrets of these names; without a name all that have one of their own. */
export function selectSecrets(state: SecretState, names: readonly string[], dialect: SecretDialect): Selection {
  const named = secretsByName(state, dialect)
  const wanted = names.length > 0 ? [...new Set(names)] : [...named.keys()].filter((name) => !ALIASES.has(name))
  return {
    secrets: wanted.flatMap((name) => named.get(name)?.() ?? []),
    unknown: wanted.filter((name) => !named.has(name)).sort(),
  }
}

/** As SPIRE answers: one name too many refuses the whole request. Throws `ERR_RPC_INVALID`. */
export function selectKnownSecrets(
  state: SecretState,
  names: readonly string[],
  dialect: SecretDialect,
): readonly EncodedSecret[] {
  const { secrets, unknown } = selectSecrets(state, names, dialect)
  if (unknown.length === 0) return secrets
  const listed = unknown.slice(0, 8).map((name) => JSON.stringify(name.slice(0, 200)))
  throw new RpcError(
    'ERR_RPC_INVALID',
    `the workload is not authorized for the requested identities ${listed.join(' ')}`,
  )
}
