import { encodeBundleMap, type TrustBundle } from '@picket/identity'
import type { Resource } from '@picket/rpc'
import type { Logger, Watch } from '@picket/runtime'
import { createResource } from '../resource.ts'

/** What a sidecar takes in one map: below what its reader does. */
const MOST = { characters: 4_000_000, keys: 8000 } as const

/**
 * One resource for all sidecars that federate with the same domains. A bundle that is not there yet holds up nobody. A
 * sidecar takes a map or refuses it as a whole, so what is too much for one is left out, the largest bundles first: no
 * domain can keep those of others from being renewed.
 */
export function createFederatedBundles(
  federation: Watch<ReadonlyMap<string, TrustBundle>>,
  logger: Pick<Logger, 'warn'>,
): (names: readonly string[]) => Resource {
  let bundles = federation.value
  let made = new Map<string, Resource>()
  return (names) => {
    if (bundles !== federation.value) made = new Map()
    bundles = federation.value
    const held = names.flatMap((name) => bundles.get(name) ?? [])
    const key = held.map(({ trustDomain }) => trustDomain.name).join(' ')
    const resource = made.get(key) ?? createResource('federated-bundles', encode(held, logger))
    made.set(key, resource)
    return resource
  }
}

function encode(held: readonly TrustBundle[], logger: Pick<Logger, 'warn'>): Buffer {
  const measured = held.map((bundle) => ({ bundle, ...measure(bundle) })).sort((a, b) => a.characters - b.characters)
  let [characters, keys] = [0, 0]
  const leftOut = new Set<TrustBundle>()
  for (const { bundle, ...size } of measured) {
    const isTooMuch = characters + size.characters > MOST.characters || keys + size.keys > MOST.keys
    if (isTooMuch) leftOut.add(bundle)
    else [characters, keys] = [characters + size.characters, keys + size.keys]
  }
  if (leftOut.size > 0) {
    const trustDomains = [...leftOut].map(({ trustDomain }) => trustDomain.name)
    logger.warn('federated bundles are too large together, some are left out', { trustDomains })
  }
  return Buffer.from(encodeBundleMap(held.filter((bundle) => !leftOut.has(bundle))))
}

function measure(bundle: TrustBundle): { readonly characters: number; readonly keys: number } {
  const { x509Authorities, jwtAuthorities } = bundle
  return { characters: encodeBundleMap([bundle]).length, keys: x509Authorities.length + jwtAuthorities.length }
}
