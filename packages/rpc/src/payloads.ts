import { parseSpiffeId, type SpiffeId } from '@picket/identity'
import { formatHostPort, parseHostPort, type HostPort } from '@picket/runtime'
import { listOf, memberOf, readPayload, textOf, textsOf, writePayload } from './payload-json.ts'

/** Which services there are, and how this sidecar's service is called. */
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

const MOST = { services: 100_000, addresses: 100_000, addressCharacters: 300 } as const

/** True for what may stand before `.mesh`: a lower-case host label, `_` allowed inside. */
export function isServiceName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(text)
}

/** Each address is a line of its own: a sidecar that joins or leaves a large service is one line of a delta. */
export function encodeEndpoints({ services }: Endpoints): Buffer {
  const records = services.map(({ name, spiffeId, addresses }) => {
    const head = `{"name":${JSON.stringify(name)},"spiffeId":${JSON.stringify(spiffeId.uri)},"addresses":[`
    const lines = addresses.map((address) => JSON.stringify(formatHostPort(address))).join(',\n')
    return `${head}\n${lines}\n]}`
  })
  return writePayload('services', records)
}

/** Throws `ERR_RPC_INVALID` with the place of what is wrong. */
export function parseEndpoints(bytes: Uint8Array): Endpoints {
  return readPayload(bytes, 'endpoints', (root) => ({
    services: listOf(root, 'services', MOST.services).map((service) => ({
      name: serviceName(service),
      spiffeId: parseSpiffeId(textOf(service, 'spiffeId')),
      addresses: textsOf(service, 'addresses', MOST.addresses, MOST.addressCharacters).map(parseHostPort),
    })),
  }))
}

export function encodeServiceConfig({ service }: ServiceConfig): Buffer {
  return Buffer.from(JSON.stringify({ service: { name: service.name } }))
}

/** Throws `ERR_RPC_INVALID`. */
export function parseServiceConfig(bytes: Uint8Array): ServiceConfig {
  return readPayload(bytes, 'service configuration', (root) => ({
    service: { name: serviceName(memberOf(root, 'service')) },
  }))
}

function serviceName(value: unknown): string {
  const name = textOf(value, 'name')
  if (!isServiceName(name)) throw new TypeError(`"${name}" is not a service name`)
  return name
}
