import { request, type RequestOptions } from 'node:https'
import { parseStrictJson } from '@picket/identity'
import { messageOf, type Clock } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { readBoundedFile } from '../file.ts'

/** Asks a Kubernetes API server whose service account token this is (`authentication.k8s.io/v1` TokenReview). */
export interface TokenReviews {
  /** Resolves with the answer's `status`. Throws `ERR_ATTESTOR`, retryable, when there is no answer that can be judged. */
  review(token: string, audience: string): Promise<Readonly<Record<string, unknown>>>
}

export interface KubernetesApi {
  readonly url: URL
  /** PEM; undefined = the system's authorities. */
  readonly caFile: string | undefined
  /** Our own credential, read anew each time: Kubernetes replaces it. */
  readonly tokenFile: string
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews'
const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 256 * 1024
const MAX_FILE_BYTES = 1024 * 1024

export function createTokenReviews(
  clock: Pick<Clock, 'after'>,
  { url, caFile, tokenFile }: KubernetesApi,
): TokenReviews {
  return {
    async review(token, audience) {
      try {
        const read = (file: string): Promise<Buffer> => readBoundedFile(file, MAX_FILE_BYTES)
        const [ca, own] = await Promise.all([caFile === undefined ? undefined : read(caFile), read(tokenFile)])
        const review = {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token, audiences: [audience] },
        }
        const authorization = `Bearer ${own.toString('utf8').trim()}`
        const body = await post(
          clock,
          new URL(url.pathname.replace(/\/$/, '') + PATH, url),
          { ...(ca && { ca }) },
          authorization,
          JSON.stringify(review),
        )
        return readStatus(parseStrictJson(body, { maxLength: MAX_ANSWER_BYTES }))
      } catch (cause) {
        const message = `the Kubernetes API gave no review: ${messageOf(cause)}`
        throw new ControlPlaneError('ERR_ATTESTOR', message, { cause, retryable: true })
      }
    },
  }
}

/** The body of a 200 or 201. Throws when it is another, too long or too late. */
function post(
  clock: Pick<Clock, 'after'>,
  url: URL,
  tls: RequestOptions,
  authorization: string,
  body: string,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const headers = { authorization, 'content-type': 'application/json', accept: 'application/json' }
  const call = request(url, { ...tls, method: 'POST', headers, agent: false }, (response) => {
    const pieces: Buffer[] = []
    let length = 0
    response.on('data', (piece: Buffer) => {
      length += piece.length
      if (length > MAX_ANSWER_BYTES) return void call.destroy(new TypeError('the answer is too long'))
      pieces.push(piece)
    })
    response.on('end', () => {
      const { statusCode = 0 } = response
      if (statusCode === 200 || statusCode === 201) resolve(Buffer.concat(pieces))
      else reject(new TypeError(`it answered ${statusCode}${HINTS[statusCode] ?? ''}`))
    })
    response.on('error', reject)
  })
  call.on('error', reject)
  call.end(body)
  const deadline = clock.after(TIMEOUT_MS, () => call.destroy(new TypeError(`no answer within ${TIMEOUT_MS} ms`)))
  return promise.finally(() => deadline[Symbol.dispose]())
}

const HINTS: Readonly<Record<number, string>> = {
  401: ': it does not take the token in kubernetesTokenFile',
  403: ': the control plane’s service account needs the role system:auth-delegator',
}

function readStatus(answer: unknown): Readonly<Record<string, unknown>> {
  const { kind, status } = toObject(answer)
  if (kind !== 'TokenReview') throw new TypeError('the answer is no TokenReview')
  return toObject(status)
}

export function toObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('an object is missing')
  return value as Record<string, unknown>
}
