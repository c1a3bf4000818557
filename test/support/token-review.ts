import { readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'

/** A service account's token, as the API server knows it. */
export interface ServiceAccountToken {
  readonly namespace: string
  readonly account: string
  readonly audiences: readonly string[]
  /** The pod that it is bound to. */
  readonly pod?: { readonly name: string; readonly uid: string; readonly node: string }
}

/** What the server does instead of judging. */
export type TokenReviewFault =
  'none' | 'internal-error' | 'slow' | 'not-json' | 'duplicate-keys' | 'huge' | 'other-kind' | 'no-audiences' | 'a-user'

/**
 * The part of a Kubernetes API server that judges tokens: TLS, the caller's own bearer token, and
 * `POST /apis/authentication.k8s.io/v1/tokenreviews` with the answers of the real one (kubernetes.io, API reference,
 * TokenReview v1): 201 with `status`, 401 and 403 as a `Status` object.
 */
export interface TokenReviewServer extends AsyncDisposable {
  readonly url: string
  /** PEM of the authority of its certificate. */
  readonly caFile: string
  /** The credential of the control plane; a test may write another one. */
  readonly tokenFile: string
  /** The text of a token that it will know. */
  createToken(token: ServiceAccountToken): string
  /** As if the pod were deleted. */
  forget(token: string): void
  fault: TokenReviewFault
  /** Whether the control plane's account may create reviews. */
  mayReview: boolean
  readonly reviews: number
}

/** As behind a gateway of many clusters. */
const BASE = '/clusters/east'

export async function startTokenReviewServer(folder: string): Promise<TokenReviewServer> {
  const authority = createTestAuthority('kubernetes.test')
  const { chain, privateKey } = authority.issueSvid('/api', { dnsNames: ['localhost'] })
  const [caFile, tokenFile] = [join(folder, 'kubernetes-ca.pem'), join(folder, 'control-plane-token')]
  await writeFile(caFile, encodeCertificatesPem([authority.certificate]))
  await writeFile(tokenFile, 'own.token.of-the-control-plane\n')
  const own = (await readFile(tokenFile, 'utf8')).trim()
  const known = new Map<string, ServiceAccountToken>()
  const state = { fault: 'none' as TokenReviewFault, mayReview: true, reviews: 0 }

  async function judge(request: IncomingMessage): Promise<{ status: number; body: string }> {
    const problem = (code: number, reason: string): { status: number; body: string } => ({
      status: code,
      body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }),
    })
    if (request.method !== 'POST' || request.url !== `${BASE}/apis/authentication.k8s.io/v1/tokenreviews`) {
      return problem(404, 'NotFound')
    }
    if (request.headers.authorization !== `Bearer ${own}`) return problem(401, 'Unauthorized')
    if (!state.mayReview) return problem(403, 'Forbidden')
    if (state.fault === 'internal-error') return problem(500, 'InternalError')
    state.reviews += 1
    const { apiVersion, kind, spec } = JSON.parse(await bodyOf(request)) as Review
    if (apiVersion !== 'authentication.k8s.io/v1' || kind !== 'TokenReview') return problem(400, 'BadRequest')
    const status = toStatus(known.get(spec.token), spec.audiences, state.fault)
    const review = {
      kind: state.fault === 'other-kind' ? 'Pod' : 'TokenReview',
      apiVersion,
      metadata: {},
      spec,
      status,
    }
    return { status: 201, body: spoil(JSON.stringify(review), state.fault) }
  }

  const server = createServer(
    { cert: encodeCertificatesPem(chain), key: encodePrivateKeyPem(privateKey) },
    (request, response) => {
      judge(request).then(
        ({ status, body }) => {
          if (state.fault === 'slow') return
          response.writeHead(status, { 'content-type': 'application/json' }).end(body)
        },
        () => response.destroy(),
      )
    },
  )
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const url = `https://localhost:${(server.address() as AddressInfo).port}${BASE}`
  return {
    url,
    caFile,
    tokenFile,
    get fault() {
      return state.fault
    },
    set fault(fault) {
      state.fault = fault
    },
    get mayReview() {
      return state.mayReview
    },
    set mayReview(mayReview) {
      state.mayReview = mayReview
    },
    get reviews() {
      return state.reviews
    },
    createToken(token) {
      const text = `header.${Buffer.from(JSON.stringify([token, known.size])).toString('base64url')}.signature`
      known.set(text, token)
      return text
    },
    forget: (token) => void known.delete(token),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Review {
  readonly apiVersion: string
  readonly kind: string
  readonly spec: { readonly token: string; readonly audiences: readonly string[] }
}

function toStatus(token: ServiceAccountToken | undefined, asked: readonly string[], fault: TokenReviewFault): object {
  const audiences = asked.filter((audience) => token?.audiences.includes(audience))
  if (!token || audiences.length === 0) return { user: {}, error: '[invalid bearer token, Token has been invalidated]' }
  const { namespace, account, pod } = token
  const extra = pod && {
    'authentication.kubernetes.io/pod-name': [pod.name],
    'authentication.kubernetes.io/pod-uid': [pod.uid],
    'authentication.kubernetes.io/node-name': [pod.node],
    'authentication.kubernetes.io/node-uid': [`uid-of-${pod.node}`],
  }
  const username = fault === 'a-user' ? 'alice@corp' : `system:serviceaccount:${namespace}:${account}`
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  return {
    authenticated: true,
    user: { username, uid: 'an-uid', groups, extra },
    ...(fault !== 'no-audiences' && { audiences }),
  }
}

function spoil(body: string, fault: TokenReviewFault): string {
  if (fault === 'not-json') return '<html>'
  if (fault === 'duplicate-keys')
    return body.replace('"authenticated":true', '"authenticated":false,"authenticated":true')
  return fault === 'huge' ? body + ' '.repeat(1024 * 1024) : body
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const piece of request.setEncoding('utf8')) body += String(piece)
  return body
}
