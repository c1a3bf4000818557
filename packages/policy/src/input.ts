import type { RequestHead } from '@picket/http'
import type { SpiffeId } from '@picket/identity'
import type { HostPort } from '@picket/runtime'
import { pick, WHOLE_INPUT, type InputReference } from './reference.ts'
import { parsePath, parseQuery } from './target.ts'

/**
 * The one place where the policy input document is built: a superset of opa-envoy-plugin's, so that policies written for
 * it run unchanged, plus `caller`, `service` and `direction`. `projection.ts` writes the same document as bytes, from
 * the template that `assembleInput` gives it, and is tested against `toPolicyInput`.
 */

/** What stays the same for all requests of a connection. */
export interface InputContext {
  /** The verified SPIFFE ID of the remote workload. */
  readonly caller: SpiffeId | undefined
  /** The name of the service that the policy guards. */
  readonly service: string
  readonly serviceId: SpiffeId
  readonly source: HostPort | undefined
  readonly destination: HostPort | undefined
  readonly direction: 'inbound' | 'outbound'
}

/** The parts of the document that come from the request. */
export interface RequestFields {
  readonly method: string
  /** Path and query as received, as in Envoy's check request. */
  readonly path: string
  readonly host: string
  readonly protocol: string
  /** Without the question mark; '' when absent. */
  readonly query: string
  /** Lower-case names, repeated ones joined with ", ", with Envoy's `:authority :method :path :scheme`. */
  readonly headers: Readonly<Record<string, string>>
  readonly parsedPath: readonly string[]
  readonly parsedQuery: Readonly<Record<string, readonly string[]>>
}

export type PolicyInput = Readonly<Record<string, unknown>>

/** Headers that the sidecar sets itself: what the caller sent under these names is stripped, so policy never sees it. */
export const HIDDEN_HEADERS: ReadonlySet<string> = new Set(['x-forwarded-client-cert', 'x-request-id'])

/**
 * The input document as a plain object, cut down to `references`: the oracle of the byte writer, and the form for tools
 * and explanations. Undefined when a part that is read has no faithful form (see `target.ts`).
 */
export function toPolicyInput(
  context: InputContext,
  head: RequestHead,
  references: readonly InputReference[] = WHOLE_INPUT,
): PolicyInput | undefined {
  const request = {
    method: head.method,
    path: head.target,
    host: head.host,
    protocol: `HTTP/${head.version}`,
    query: head.query,
    headers: toHeaders(head, schemeOf(context)),
    parsedPath: parsePath(head.path),
    parsedQuery: parseQuery(head.query),
  }
  const input = pick(assembleInput(context, request as RequestFields), references) as PolicyInput
  const unreadable =
    ('parsed_path' in input && !request.parsedPath) || ('parsed_query' in input && !request.parsedQuery)
  return unreadable ? undefined : input
}

/** The document's shape. Constant parts come first, so that their bytes are one run. */
export function assembleInput(context: InputContext, request: RequestFields): PolicyInput {
  const { caller, source, destination } = context
  const { method, path, host, protocol, query, headers, parsedPath, parsedQuery } = request
  return {
    caller: caller ? toCaller(caller) : null,
    service: {
      name: context.service,
      spiffe_id: context.serviceId.uri,
      trust_domain: context.serviceId.trustDomain.name,
    },
    direction: context.direction,
    version: { ext_authz: 'v3', encoding: 'protojson' },
    ...(caller ? { source_principal: caller.uri } : {}),
    attributes: {
      source: { ...toAddress(source), ...(caller ? { principal: caller.uri } : {}) },
      destination: { ...toAddress(destination), principal: context.serviceId.uri },
      request: { http: { scheme: schemeOf(context), method, path, host, protocol, query, headers } },
    },
    parsed_path: parsedPath,
    parsed_query: parsedQuery,
  }
}

export function schemeOf({ direction }: InputContext): string {
  return direction === 'inbound' ? 'https' : 'http'
}

export function toHeaders(head: RequestHead, scheme: string): Readonly<Record<string, string>> {
  const shown = Object.entries(head.headers()).filter(([name]) => !HIDDEN_HEADERS.has(name))
  return Object.fromEntries([
    ...shown,
    [':authority', head.host],
    [':method', head.method],
    [':path', head.target],
    [':scheme', scheme],
  ])
}

/** `segments` of a SPIFFE path; `service` is the last one, by the mesh's convention for names. */
function toCaller({ uri, trustDomain, path }: SpiffeId): PolicyInput {
  const segments = path === '' ? [] : path.slice(1).split('/')
  return { spiffe_id: uri, trust_domain: trustDomain.name, path, service: segments.at(-1) ?? '', segments }
}

function toAddress(address: HostPort | undefined): PolicyInput {
  return address ? { address: { socketAddress: { address: address.host, portValue: address.port } } } : {}
}
