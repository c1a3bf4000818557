import { createHash } from 'node:crypto'
import { encodeTrustBundle, type TrustBundle } from '@picket/identity'
import { createOidcDocuments, type JwtIssuer } from './oidc.ts'

/** What the bundle endpoint has to say, by path, made once for each bundle. */
export type EndpointDocuments = ReadonlyMap<string, EndpointDocument>

interface EndpointDocument {
  readonly body: Buffer
  /** Quoted, strong. */
  readonly etag: string
}

/** One request, as far as an answer depends on it. */
export interface EndpointRequest {
  readonly method: string | undefined
  /** As it came: path and query. */
  readonly url: string | undefined
  readonly ifNoneMatch: string | undefined
}

export interface EndpointAnswer {
  readonly status: 200 | 304 | 404 | 405
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

/** How often others look for a newer bundle, when the authority does not say (rule 46). */
export const REFRESH_HINT_SECONDS = 300

/** The SPIFFE bundle at `/`, and OpenID Connect discovery where there is an issuer. */
export function createEndpointDocuments(bundle: TrustBundle, issuer: JwtIssuer | undefined): EndpointDocuments {
  const refreshHintSeconds = bundle.refreshHintSeconds ?? REFRESH_HINT_SECONDS
  const texts = new Map(issuer && createOidcDocuments(bundle, issuer))
  texts.set('/', encodeTrustBundle({ ...bundle, refreshHintSeconds }))
  return new Map([...texts].map(([path, text]) => [path, toDocument(text)]))
}

function toDocument(text: string): EndpointDocument {
  const body = Buffer.from(text)
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

/** GET and HEAD of what there is; the newest bundle must be seen at once, so caches have to ask (RFC 9111). */
export function answerEndpoint(
  documents: EndpointDocuments,
  { method, url, ifNoneMatch }: EndpointRequest,
): EndpointAnswer {
  const document = documents.get(url?.split('?', 1)[0] ?? '')
  if (!document) return { status: 404, headers: { 'content-length': '0' }, body: undefined }
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, headers: { allow: 'GET, HEAD', 'content-length': '0' }, body: undefined }
  }
  const { body, etag } = document
  const common = { etag, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' }
  if (isMatch(ifNoneMatch, etag)) return { status: 304, headers: common, body: undefined }
  const headers = { ...common, 'content-type': 'application/json', 'content-length': String(body.length) }
  return { status: 200, headers, body: method === 'HEAD' ? undefined : body }
}

/** RFC 9110 section 13.1.2: weak comparison; our tags hold no comma. */
function isMatch(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
