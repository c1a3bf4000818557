import { parseSpiffeId, parseTrustBundle, parseTrustDomain } from '@picket/identity'
import type { SpiffeId, TrustBundle, TrustDomain } from '@picket/identity'
import type { SetRelationshipRequest } from '@picket/rpc'
import { messageOf } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'

/** How a bundle endpoint proves itself. There is no way from one profile to the other but an operator's order. */
export type EndpointProfile =
  { readonly kind: 'https_web' } | { readonly kind: 'https_spiffe'; readonly endpointId: SpiffeId }

/**
 * Another trust domain whose bundle is fetched. Name, URL and profile are each said by the operator; none is inferred
 * from another (SPIFFE_Federation.md section 7.2, rule 70).
 */
export interface FederationRelationship {
  readonly trustDomain: TrustDomain
  readonly url: URL
  readonly profile: EndpointProfile
}

const MAX_URL_CHARACTERS = 2048

/** Throws `ERR_RELATIONSHIP_INVALID`. */
export function parseRelationship(
  { trustDomain: name, url, profile, endpointSpiffeId }: Omit<SetRelationshipRequest, 'bundle'>,
  own: TrustDomain,
): FederationRelationship {
  const trustDomain = said('trust domain', name, parseTrustDomain)
  if (trustDomain.name === own.name) throw invalid(`${name} is this trust domain: its bundle comes from its authority`)
  return Object.freeze({
    trustDomain,
    url: said('URL', url, parseEndpointUrl),
    profile: parseProfile(profile, endpointSpiffeId),
  })
}

function parseProfile(profile: string, endpointSpiffeId: string): EndpointProfile {
  switch (profile) {
    case 'https_web':
      if (endpointSpiffeId !== '') throw invalid('an https_web endpoint has no SPIFFE ID')
      return { kind: 'https_web' }
    case 'https_spiffe':
      return { kind: 'https_spiffe', endpointId: said('endpoint SPIFFE ID', endpointSpiffeId, parseSpiffeId) }
    default:
      throw invalid(`"${profile}" is no endpoint profile: there are https_web and https_spiffe`)
  }
}

/**
 * A URL that a bundle may be fetched from: https, no user (rule 71). What a lenient URL parser would repair is refused,
 * so that nobody reads another host in it than we do. Throws a `TypeError` that says what is wrong.
 */
export function parseEndpointUrl(text: string): URL {
  if (text.length > MAX_URL_CHARACTERS) throw new TypeError(`it has more than ${MAX_URL_CHARACTERS} characters`)
  if (!/^https:\/\/[^/]/.test(text)) throw new TypeError('it does not begin with https://HOST')
  if (!/^[!-~]+$/.test(text) || /[\\"<>^`{|}]/.test(text)) throw new TypeError('it holds characters that no URL has')
  const [authority = ''] = text.slice('https://'.length).split(/[/?#]/, 1)
  if (authority.includes('@')) throw new TypeError('it names a user')
  if (!URL.canParse(text)) throw new TypeError('it is not a URL')
  const url = new URL(text)
  if (url.port === '0') throw new TypeError('nothing listens on port 0')
  url.hash = ''
  return url
}

/** The bundle that an operator gives to begin with; undefined for ''. Throws `ERR_RELATIONSHIP_INVALID`. */
export function parseFirstBundle(document: string, trustDomain: TrustDomain): TrustBundle | undefined {
  if (document === '') return undefined
  return said('bundle', document, (text) => parseTrustBundle(text, trustDomain))
}

function said<T>(what: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (cause) {
    throw invalid(`the ${what} is refused: ${messageOf(cause)}`, cause)
  }
}

export function invalid(message: string, cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('ERR_RELATIONSHIP_INVALID', message, { cause })
}
