import { RpcError } from '../rpc-error.ts'
import type { DeltaDiscoveryRequest__Output } from './generated/envoy/service/discovery/v3/DeltaDiscoveryRequest.ts'
import type { DeltaDiscoveryResponse } from './generated/envoy/service/discovery/v3/DeltaDiscoveryResponse.ts'
import type { DiscoveryRequest__Output } from './generated/envoy/service/discovery/v3/DiscoveryRequest.ts'
import type { DiscoveryResponse } from './generated/envoy/service/discovery/v3/DiscoveryResponse.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import type { SecretState } from './messages.ts'
import { SECRET_TYPE, versionOf } from './secret-codec.ts'
import { dialectOf, selectKnownSecrets, selectSecrets, type SecretDialect } from './secret-selection.ts'

/** What one Envoy's stream asked for and was told; the protocol of xDS without the transport. */
export interface SecretSubscription<Request, Response> {
  /** Takes a request in: a subscription, or the answer to a response. Throws `ERR_RPC_INVALID`. */
  readonly accept: (request: Request) => void
  /** The next response; undefined: there is nothing to say. Throws `ERR_RPC_INVALID` for names that nobody has. */
  readonly next: (state: SecretState) => Response | undefined
}

export interface SubscriptionDeps {
  /** The Envoy refused a response, in its words. */
  readonly refused: (message: string) => void
}

/** State of the world: each response holds all secrets that are subscribed to. */
export function createStateSubscription({
  refused,
}: SubscriptionDeps): SecretSubscription<DiscoveryRequest__Output, DiscoveryResponse> {
  let dialect: SecretDialect | undefined
  let names: readonly string[] | undefined
  let nonce = ''
  let sent = 0
  let sentVersion: string | undefined
  return {
    accept(request) {
      checkType(request.typeUrl)
      checkCount(request.resourceNames.length)
      if (request.responseNonce !== '' && nonce !== '' && request.responseNonce !== nonce) return // overtaken by a newer response
      dialect ??= dialectOf(request.node)
      if (request.errorDetail) refused(request.errorDetail.message)
      const asked = [...new Set(request.resourceNames.filter((name) => name !== ''))].sort()
      if (names && isSame(names, asked)) return
      names = asked
      sentVersion = undefined
    },
    next(state) {
      if (!names) return undefined
      const secrets = selectKnownSecrets(state, names, dialect!)
      const version = versionOf(secrets)
      if (version === sentVersion) return undefined
      sentVersion = version
      nonce = String(++sent)
      return { versionInfo: version, typeUrl: SECRET_TYPE, nonce, resources: secrets.map(({ any }) => any) }
    },
  }
}

const EVERYTHING = '*'

/** Incremental: each response holds what changed since the one before, and the names that nobody has. */
export function createDeltaSubscription({
  refused,
}: SubscriptionDeps): SecretSubscription<DeltaDiscoveryRequest__Output, DeltaDiscoveryResponse> {
  let dialect: SecretDialect | undefined
  /** By name, the version that the Envoy was told: '' = that there is none, undefined = nothing yet. */
  const told = new Map<string, string | undefined>()
  const asked = new Set<string>()
  let sent = 0

  return {
    accept(request) {
      checkType(request.typeUrl)
      if (request.errorDetail) refused(request.errorDetail.message)
      if (!dialect) {
        dialect = dialectOf(request.node)
        for (const [name, version] of Object.entries(request.initialResourceVersions)) told.set(name, version)
        if (request.resourceNamesSubscribe.length === 0) asked.add(EVERYTHING)
      }
      for (const name of request.resourceNamesSubscribe) {
        asked.add(name)
        if (told.get(name) === '') told.delete(name)
      }
      for (const name of request.resourceNamesUnsubscribe) {
        asked.delete(name)
        told.delete(name)
      }
      checkCount(Math.max(asked.size, told.size))
    },
    next(state) {
      if (!dialect) return undefined
      const named = [...asked].filter((name) => name !== EVERYTHING)
      const everything = asked.has(EVERYTHING) ? selectSecrets(state, [], dialect).secrets : []
      const some = named.length > 0 ? selectSecrets(state, named, dialect) : { secrets: [], unknown: [] }
      const secrets = [...new Map([...everything, ...some.secrets].map((secret) => [secret.name, secret])).values()]
      const changed = secrets.filter(({ name, version }) => told.get(name) !== version)
      const present = new Set(secrets.map(({ name }) => name))
      const gone = new Set(
        [...told.keys(), ...some.unknown].filter((name) => !present.has(name) && told.get(name) !== ''),
      )
      if (changed.length === 0 && gone.size === 0) return undefined
      for (const { name, version } of changed) told.set(name, version)
      for (const name of gone) told.set(name, '')
      return {
        systemVersionInfo: versionOf(secrets),
        typeUrl: SECRET_TYPE,
        nonce: String(++sent),
        resources: changed.map(({ name, version, any }) => ({ name, version, resource: any })),
        removedResources: [...gone],
      }
    },
  }
}

export function checkType(typeUrl: string): void {
  if (typeUrl === '' || typeUrl === SECRET_TYPE) return
  throw new RpcError('ERR_RPC_INVALID', 'only secrets are served here')
}

export function checkCount(names: number): void {
  if (names > WORKLOAD_LIMITS.resourceNames) throw new RpcError('ERR_RPC_INVALID', 'too many resource names')
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index])
}
