import { IdentityError } from './error.ts'
import { isJsonObject } from './strict-json.ts'
import {
  encodeTrustBundle,
  parseBundleJson,
  readTrustBundle,
  type BundleReadOptions,
  type TrustBundle,
} from './trust-bundle.ts'
import { parseTrustDomain } from './trust-domain.ts'

/**
 * A SPIFFE bundle map: the bundles of several trust domains in one document, by name (rule 50). All of them or none:
 * one that does not read, or a name that is there twice, refuses the map. Throws `ERR_TRUST_BUNDLE`.
 */
export function parseBundleMap(json: string | Uint8Array, options: BundleReadOptions = {}): readonly TrustBundle[] {
  const document = parseBundleJson(json)
  if (!isBundleMap(document)) throw refusal('it has no "trust_domains" object')
  const bundles = Object.entries(document.trust_domains).map(([name, bundle]) =>
    readTrustBundle(bundle, readName(name), options),
  )
  return Object.freeze(bundles)
}

/** Throws `ERR_TRUST_BUNDLE` on two bundles of one trust domain. */
export function encodeBundleMap(bundles: readonly TrustBundle[]): string {
  const names = bundles.map(({ trustDomain }) => trustDomain.name)
  if (new Set(names).size !== names.length) throw refusal('there are two bundles for one trust domain')
  const members = bundles.map((bundle) => `"${bundle.trustDomain.name}": ${encodeTrustBundle(bundle).trimEnd()}`)
  const lines = members.join(',\n').replaceAll('\n', '\n    ')
  return members.length === 0 ? '{\n  "trust_domains": {}\n}\n' : `{\n  "trust_domains": {\n    ${lines}\n  }\n}\n`
}

function isBundleMap(document: unknown): document is { trust_domains: Record<string, unknown> } {
  return isJsonObject(document) && isJsonObject(document['trust_domains'])
}

function readName(name: string): ReturnType<typeof parseTrustDomain> {
  try {
    return parseTrustDomain(name)
  } catch (cause) {
    throw new IdentityError('ERR_TRUST_BUNDLE', `the bundle map is refused: ${(cause as Error).message}`, { cause })
  }
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_TRUST_BUNDLE', `the bundle map is refused: ${fault}`)
}
