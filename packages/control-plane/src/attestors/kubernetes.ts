import { RpcError } from '@picket/rpc'
import { toFact } from './selectors.ts'
import { deny, type Attestor } from './attestor.ts'
import { toObject, type TokenReviews } from './token-review.ts'

export interface KubernetesOptions {
  /** What the token must be made for, so that one that was made for somebody else is worth nothing here. */
  readonly audience: string
  /** The cluster's name in facts: namespaces of two clusters are not the same. */
  readonly cluster: string
}

const ACCOUNT =
  /^system:serviceaccount:([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?):([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/
/** A projected token is a JWT: three words of base64url. */
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const MAX_TOKEN_CHARACTERS = 16 * 1024

/** What the API server tells of the pod that the token is bound to, and the fact that it becomes. */
const POD = {
  'authentication.kubernetes.io/pod-name': 'k8s:pod-name',
  'authentication.kubernetes.io/pod-uid': 'k8s:pod-uid',
  'authentication.kubernetes.io/node-name': 'k8s:node-name',
  'authentication.kubernetes.io/node-uid': 'k8s:node-uid',
} as const

/** A projected service account token, judged by the API server that made it: one of a deleted pod is refused there. */
export function createKubernetesAttestor(
  reviews: TokenReviews,
  { audience, cluster }: KubernetesOptions,
): Attestor<string> {
  return {
    async attest(token) {
      if (token.length > MAX_TOKEN_CHARACTERS || !TOKEN.test(token)) {
        throw new RpcError('ERR_RPC_INVALID', 'this is not a service account token')
      }
      const { authenticated, audiences, user } = await reviews.review(token, audience)
      const refuse = (why: string): ReturnType<typeof deny> =>
        deny('kubernetes', 'kubernetes-token', 'the service account token is not accepted', why)
      if (authenticated !== true) return refuse('the API server does not authenticate it')
      // An API server that knows no audiences leaves them out: then the token could have been made for anybody.
      if (!Array.isArray(audiences) || !audiences.includes(audience)) return refuse(`it is not for "${audience}"`)
      const { username, extra } = toUser(user)
      const [, namespace, account] = ACCOUNT.exec(username) ?? []
      if (namespace === undefined || account === undefined) return refuse('it is not a service account’s')
      const facts = [`k8s:cluster:${cluster}`, `k8s:ns:${namespace}`, `k8s:sa:${account}`, ...podFacts(extra)].sort()
      return { kind: 'attested', evidence: 'kubernetes', facts, subject: `${cluster} ${namespace}/${account}` }
    },
  }
}

function toUser(user: unknown): { readonly username: string; readonly extra: Readonly<Record<string, unknown>> } {
  try {
    const { username, extra } = toObject(user)
    return { username: typeof username === 'string' ? username : '', extra: extra === undefined ? {} : toObject(extra) }
  } catch {
    return { username: '', extra: {} }
  }
}

/** Exactly one text to each name: anything else is left out. */
function podFacts(extra: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(POD).flatMap(([key, name]) => {
    const values = Object.hasOwn(extra, key) ? extra[key] : undefined
    return Array.isArray(values) && values.length === 1 && typeof values[0] === 'string' ? toFact(name, values[0]) : []
  })
}
