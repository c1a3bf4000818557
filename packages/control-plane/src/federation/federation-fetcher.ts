import { readFile } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { createBundleSource, type BundleSource } from '@picket/identity'
import { messageOf, type Clock } from '@picket/runtime'
import type { EndpointProof } from './federation-connection.ts'
import { failFetch, type FetchFailure } from './federation-failure.ts'
import { fetchDocument, type FetchedDocument } from './federation-fetch.ts'
import type { FederationRelationship } from './federation-relationship.ts'
import type { ControlPlaneSettings } from '../settings.ts'

/** Fetches the document at a relationship's endpoint; `bundles` are what an https_spiffe endpoint proves itself with. */
export type BundleFetcher = (
  relationship: FederationRelationship,
  bundles: BundleSource,
  signal: AbortSignal,
) => Promise<FetchedDocument | FetchFailure>

interface FetcherOptions extends Pick<ControlPlaneSettings, 'federationWebCa' | 'federationRedirects'> {
  readonly userAgent: string
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 4 * 1024 * 1024
const MAX_REDIRECTS = 3

/** Fetches over real connections. The file of further web authorities is read each time, so that it may be replaced. */
export function createBundleFetcher(
  { clock }: { readonly clock: Clock },
  { federationWebCa, federationRedirects, userAgent }: FetcherOptions,
): BundleFetcher {
  const maxRedirects = federationRedirects === 'follow' ? MAX_REDIRECTS : 0
  const options = { maxRedirects, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }
  return async ({ url, profile }, bundles, signal) => {
    const proof: EndpointProof | FetchFailure =
      profile.kind === 'https_web'
        ? await webProof(federationWebCa)
        : spiffeProof(profile.endpointId, bundles, new Date(clock.now()))
    if (proof.kind === 'failed') return proof
    return fetchDocument({ clock, userAgent }, url, proof, options, signal)
  }
}

async function webProof(file: string | undefined): Promise<EndpointProof | FetchFailure> {
  const known = getCACertificates('default')
  if (file === undefined) return { kind: 'https_web', authorities: known }
  try {
    return { kind: 'https_web', authorities: [...known, await readFile(file, 'utf8')] }
  } catch (thrown) {
    return failFetch('web-ca', `the authorities for https_web are not readable: ${messageOf(thrown)}`)
  }
}

function spiffeProof(
  endpointId: (EndpointProof & { kind: 'https_spiffe' })['endpointId'],
  bundles: BundleSource,
  now: Date,
): EndpointProof | FetchFailure {
  const { trustDomain } = endpointId
  const bundle = bundles.bundleFor(trustDomain)
  if (!bundle) return failFetch('no-bundle', `no bundle of ${trustDomain.name} is held, which the endpoint belongs to`)
  const { revocations } = bundles
  return { kind: 'https_spiffe', endpointId, bundles: createBundleSource([bundle], revocations), now }
}
