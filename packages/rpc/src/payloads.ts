import { parseSpiffeId, type SpiffeId } from '@picket/identity'
import { formatHostPort, messageOf, parseHostPort, type HostPort } from '@picket/runtime'
import { RpcError } from './rpc-error.ts'

/**
 * The two resources that are Picket's own JSON: which services there are, and how this sidecar's service is called. A
 * reader ignores members that it does not know, so that later control planes may add some; what it knows is checked.
 */
export interface ServiceEndpoints {
  /** The name in `NAME.mesh`. */
  readonly name: string
  readonly spiffeId: SpiffeId
  readonly addresses: readonly HostPort[]
}

export interface Endpoints {
  readonly services: readonly ServiceEndpoints[]
}

export interface ServiceConfig {
  readonly service: { readonly name: string }
}

/** True for what may stand before `.mesh`: a lower-case host label, `_` allowed inside. */
export function isServiceName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(text)
}

export function encodeEndpoints({ services }: Endpoints): Buffer {
  const written = services.map(({ name, spiffeId, addresses }) => {
    return { name, spiffeId: spiffeId.uri, addresses: addresses.map(formatHostPort) }
  })
  return Buffer.from(JSON.stringify({ services: written }))
}

/** Throws `ERR_RPC_INVALID` with the place of what is wrong. */
export function parseEndpoints(bytes: Uint8Array): Endpoints {
  return parseJson(bytes, 'endpoints', (root) => ({
    services: listOf(root, 'services').map((service) => ({
      name: serviceName(service),
      spiffeId: parseSpiffeId(textOf(service, 'spiffeId')),
      addresses: listOf(service, 'addresses').map((address) => parseHostPort(String(address))),
    })),
  }))
}

export function encodeServiceConfig({ service }: ServiceConfig): Buffer {
  return Buffer.from(JSON.stringify({ service: { name: service.name } }))
}

/** Throws `ERR_RPC_INVALID`. */
export function parseServiceConfig(bytes: Uint8Array): ServiceConfig {
  return parseJson(bytes, 'service configuration', (root) => ({
    service: { name: serviceName(memberOf(root, 'service')) },
  }))
}

function parseJson<T>(bytes: Uint8Array, what: string, read: (root: unknown) => T): T {
  try {
    return read(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw new RpcError('ERR_RPC_INVALID', `${what}: ${messageOf(cause)}`, { cause })
  }
}

function memberOf(value: unknown, key: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject || !Object.hasOwn(value, key)) throw new TypeError(`"${key}" is missing`)
  return (value as Readonly<Record<string, unknown>>)[key]
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const member = memberOf(value, key)
  if (!Array.isArray(member)) throw new TypeError(`"${key}" is not a list`)
  return member
}

function textOf(value: unknown, key: string): string {
  const member = memberOf(value, key)
  if (typeof member !== 'string') throw new TypeError(`"${key}" is not a text`)
  return member
}

function serviceName(value: unknown): string {
  const name = textOf(value, 'name')
  if (!isServiceName(name)) throw new TypeError(`"${name}" is not a service name`)
  return name
}
