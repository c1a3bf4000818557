import {
  encodeCertificatesPem,
  encodeJwtBundle,
  encodePrivateKeyPem,
  encodeTrustBundlePem,
  parseTrustDomain,
  type BundleSource,
  type Certificate,
  type TrustBundle,
} from '@picket/identity'
import type { JwtBundleState, SecretState, X509BundleState, X509SvidState } from '@picket/rpc'
import type { WorkloadIdentity } from './workload-source.ts'

/** Identities and bundles → what a workload is told. Pure: the same input gives the same bytes. */
export function toX509SvidState(
  identities: readonly WorkloadIdentity[],
  bundles: BundleSource,
  crl: Buffer | undefined,
): X509SvidState {
  const hints = new Set<string>()
  return {
    svids: identities.map(({ svid, hint }) => ({
      spiffeId: svid.id.uri,
      chain: toDer(svid.chain),
      key: svid.privateKey.reveal().export({ type: 'pkcs8', format: 'der' }),
      bundle: toDer(bundles.bundleFor(svid.id.trustDomain)?.x509Authorities ?? []),
      hint: uniqueHint(hint, hints),
    })),
    crls: crl ? [crl] : [],
    federatedBundles: byTrustDomain(federatedBundles(identities, bundles), toX509Bundle),
  }
}

export function toX509BundleState(
  identities: readonly WorkloadIdentity[],
  bundles: BundleSource,
  crl: Buffer | undefined,
): X509BundleState {
  return { crls: crl ? [crl] : [], bundles: byTrustDomain(knownBundles(identities, bundles), toX509Bundle) }
}

export function toJwtBundleState(identities: readonly WorkloadIdentity[], bundles: BundleSource): JwtBundleState {
  return { bundles: byTrustDomain(knownBundles(identities, bundles), encodeJwtBundle) }
}

export function toSecretState(identities: readonly WorkloadIdentity[], bundles: BundleSource): SecretState {
  return {
    svids: identities.map(({ svid }) => ({
      spiffeId: svid.id.uri,
      chain: encodeCertificatesPem(svid.chain),
      key: encodePrivateKeyPem(svid.privateKey),
    })),
    bundles: knownBundles(identities, bundles).map((bundle) => ({
      trustDomain: bundle.trustDomain.id,
      authorities: encodeTrustBundlePem(bundle),
    })),
  }
}

/** Only the bundles that these identities may verify with: their own trust domain's, then the federated ones. */
export function visibleBundles(identities: readonly WorkloadIdentity[], bundles: BundleSource): BundleSource {
  const byName = new Map(knownBundles(identities, bundles).map((bundle) => [bundle.trustDomain.name, bundle]))
  const visible = { bundleFor: ({ name }: TrustBundle['trustDomain']) => byName.get(name) }
  return bundles.revocations ? { ...visible, revocations: bundles.revocations } : visible
}

/** Rule 64: a hint is unique in a response, and not too long; the first that has it keeps it. */
function uniqueHint(hint: string, taken: Set<string>): string {
  if (hint === '' || taken.has(hint) || Buffer.byteLength(hint) > MAX_HINT_BYTES) return ''
  taken.add(hint)
  return hint
}

const MAX_HINT_BYTES = 1024

function knownBundles(identities: readonly WorkloadIdentity[], bundles: BundleSource): readonly TrustBundle[] {
  const own = ownTrustDomains(identities).flatMap((name) => bundleNamed(name, bundles))
  return [...own, ...federatedBundles(identities, bundles)]
}

/** A bundle that is not there yet is left out: it does not hold up the identities that would like to have it. */
function federatedBundles(identities: readonly WorkloadIdentity[], bundles: BundleSource): readonly TrustBundle[] {
  const own = new Set(ownTrustDomains(identities))
  const names = new Set(identities.flatMap(({ federatesWith }) => federatesWith))
  return [...names]
    .filter((name) => !own.has(name))
    .sort()
    .flatMap((name) => bundleNamed(name, bundles))
}

function ownTrustDomains(identities: readonly WorkloadIdentity[]): readonly string[] {
  return [...new Set(identities.map(({ svid }) => svid.id.trustDomain.name))]
}

function bundleNamed(name: string, bundles: BundleSource): readonly TrustBundle[] {
  const bundle = bundles.bundleFor(parseTrustDomain(name))
  return bundle ? [bundle] : []
}

function byTrustDomain<T>(bundles: readonly TrustBundle[], encode: (bundle: TrustBundle) => T): Record<string, T> {
  return Object.fromEntries(bundles.map((bundle) => [bundle.trustDomain.id, encode(bundle)]))
}

function toX509Bundle({ x509Authorities }: TrustBundle): Buffer {
  return toDer(x509Authorities)
}

function toDer(certificates: readonly Certificate[]): Buffer {
  return Buffer.concat(certificates.map(({ der }) => der))
}
