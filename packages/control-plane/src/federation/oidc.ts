import { encodeOidcKeys, type TrustBundle } from '@picket/identity'

/** Who issues this trust domain's JWT-SVIDs, in the words of OpenID Connect. */
export interface JwtIssuer {
  /** The `iss` claim, to the letter. */
  readonly url: string
  /** Its path without a slash at the end; '' = none. Discovery documents lie below it. */
  readonly path: string
}

/** An https URL without user, query and fragment (OpenID Connect Discovery 1.0, section 3). Throws what to write instead. */
export function parseJwtIssuer(text: string): JwtIssuer {
  const wish = 'write an https URL without user, query and fragment, such as https://id.bank.test'
  const isPlain = /^https:\/\/[A-Za-z0-9._:[\]-]+(\/[A-Za-z0-9._~%-]+)*\/?$/.test(text)
  if (!isPlain || text.length > 1024 || !URL.canParse(text)) {
    throw new TypeError(`"${text}" is no issuer: ${wish}`)
  }
  return Object.freeze({ url: text, path: new URL(text).pathname.replace(/\/$/, '') })
}

/**
 * What lets a relying party that knows no SPIFFE check our JWT-SVIDs: the configuration and the keys it points to, by
 * path. Only what a verifier needs is there, since tokens come from the Workload API and not from an authorization flow.
 */
export function createOidcDocuments(bundle: TrustBundle, issuer: JwtIssuer): ReadonlyMap<string, string> {
  const keys = encodeOidcKeys(bundle)
  const configuration = {
    issuer: issuer.url,
    jwks_uri: `${issuer.url.replace(/\/$/, '')}/keys`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: algorithmsOf(keys),
  }
  return new Map([
    [`${issuer.path}/.well-known/openid-configuration`, `${JSON.stringify(configuration, undefined, 2)}\n`],
    [`${issuer.path}/keys`, keys],
  ])
}

function algorithmsOf(keys: string): string[] {
  const { keys: entries } = JSON.parse(keys) as { keys: readonly { alg: string }[] }
  return [...new Set(entries.map(({ alg }) => alg))].sort()
}
