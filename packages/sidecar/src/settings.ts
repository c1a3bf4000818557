import { parseJoinToken } from '@picket/agent'
import { parseSpiffeId, parseTrustDomain, type SpiffeId } from '@picket/identity'
import { DEFAULT_KEY_EXCHANGE, parseKeyExchangeProfile } from '@picket/mtls'
import { isServiceName } from '@picket/rpc'
import {
  parseDuration,
  parseHostPort,
  parseSealKey,
  type HostPort,
  type SettingsOf,
  type SettingsTable,
} from '@picket/runtime'

/** Off: whoever may open the Workload API's socket is taken as it is. `unix`: the kernel is asked who it is. */
export type WorkloadAttestation = 'off' | 'unix'

/** One loopback listener for the app's plain calls to one service. */
export type OutboundRoute =
  /** The endpoints and the SPIFFE ID come from the mesh. */
  | { readonly kind: 'service'; readonly listen: HostPort; readonly service: string }
  /** One fixed address whose sidecar must show exactly this SPIFFE ID. */
  | { readonly kind: 'static'; readonly listen: HostPort; readonly address: HostPort; readonly spiffeId: SpiffeId }

/** Where access records go. */
export type AccessLogTarget =
  { readonly kind: 'none' } | { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string }

/** Everything that can be said to a sidecar: flags, environment, file keys, defaults and documentation in one table. */
export const sidecarSettings = {
  controlPlane: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'control plane to get identity, policy and endpoints from; without it they come from files',
  },
  trustDomain: {
    parse: parseTrustDomain,
    optional: true,
    placeholder: 'NAME',
    doc: 'own trust domain; needed with a control plane, otherwise read from the SVID',
  },
  trustBundle: {
    parse: parsePath,
    placeholder: 'FILE',
    doc: 'authorities of the trust domain (PEM or SPIFFE JWK Set): pinned for the first contact, or reloaded in file mode',
  },
  joinToken: {
    parse: parseJoinToken,
    optional: true,
    secret: true,
    placeholder: 'TOKEN',
    doc: 'single-use token for the first SVID; a flag is visible to other users of the machine, a file is not',
  },
  joinTokenFile: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'file with the join token, read anew at each attempt',
  },
  x509PopCertificate: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'certificate (PEM, leaf first) of a PKI that the control plane trusts: shown instead of a join token',
  },
  x509PopKey: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'private key of that certificate, PKCS#8 PEM; it does not leave the machine',
  },
  kubernetesTokenFile: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'projected service account token for the audience of the control plane, such as /var/run/secrets/tokens/picket',
  },
  stateDir: {
    parse: parsePath,
    optional: true,
    placeholder: 'DIR',
    doc: 'folder of the sealed last-good state, from which a restart serves while the control plane is away',
  },
  sealKey: {
    parse: parseSealKey,
    optional: true,
    secret: true,
    placeholder: 'KEY',
    doc: 'sealing key of the state: 64 hex digits or base64',
  },
  sealKeyFile: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'file with the sealing key; default STATE_DIR/seal.key, created at first start',
  },
  svid: { parse: parsePath, optional: true, placeholder: 'FILE', doc: 'file mode: certificate chain, PEM, leaf first' },
  key: { parse: parsePath, optional: true, placeholder: 'FILE', doc: 'file mode: private key of the SVID, PKCS#8 PEM' },
  policy: { parse: parsePath, optional: true, placeholder: 'FILE', doc: 'file mode: policy bundle (tar.gz)' },
  service: {
    parse: parseServiceName,
    optional: true,
    placeholder: 'NAME',
    doc: "the service's name in policy input; default: as the control plane says, else the last segment of the SPIFFE ID",
  },
  inbound: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'where other sidecars connect; default 0.0.0.0:7443 when --app is given',
  },
  app: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'the service itself, on loopback; without it the sidecar takes no inbound calls',
  },
  dangerouslyAllowRemoteApp: {
    parse: parseBoolean,
    default: 'false',
    placeholder: 'true|false',
    doc: 'forward decided requests in plaintext to an app that is not on loopback',
  },
  advertise: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'address told to other sidecars (port 0: the inbound port); default the inbound address',
  },
  outbound: {
    parse: parseOutboundRoute,
    list: true,
    placeholder: 'LISTEN=SERVICE',
    doc: 'loopback listener for one service: LISTEN=SERVICE from the mesh, or LISTEN=HOST:PORT,SPIFFE_ID fixed',
  },
  outboundListener: {
    parse: parseHostPortOrNone,
    optional: true,
    placeholder: 'HOST:PORT|none',
    doc: 'loopback listener that routes by Host NAME.mesh; default 127.0.0.1:7480 with a control plane',
  },
  admin: {
    parse: parseHostPort,
    default: '127.0.0.1:7490',
    placeholder: 'HOST:PORT',
    doc: 'loopback listener of /live /ready /metrics /certs /config',
  },
  accessLog: {
    parse: parseAccessLog,
    default: '-',
    placeholder: 'FILE|-|none',
    doc: 'JSON access records: a file, - for standard output, or none',
  },
  workloadApi: {
    parse: parseSocketPath,
    optional: true,
    placeholder: 'PATH',
    doc: 'Unix socket of the SPIFFE Workload API and Envoy SDS: SPIFFE_ENDPOINT_SOCKET=unix://PATH',
  },
  workloadApiGroup: {
    parse: parseGroup,
    optional: true,
    placeholder: 'GROUP',
    doc: 'group that may open the socket too (0660); default only the own user (0600)',
  },
  workloadApiTcp: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'loopback listener of the same; each connection is resolved to its process, so it needs --workload-attestation unix',
  },
  workloadAttestation: {
    parse: parseWorkloadAttestation,
    default: 'off',
    placeholder: 'off|unix',
    doc: 'unix: ask the kernel which process calls, and match unix:uid, unix:gid, unix:path and unix:sha256 selectors',
  },
  keyExchange: {
    parse: parseKeyExchangeProfile,
    default: DEFAULT_KEY_EXCHANGE,
    placeholder: 'PROFILE',
    doc: 'how TLS agrees on keys: hybrid-preferred (with ML-KEM where the peer can), hybrid-required, classical',
  },
  drainTimeout: {
    parse: parseDuration,
    default: '30s',
    placeholder: 'DURATION',
    doc: 'how long requests in flight may take to finish at shutdown',
  },
} as const satisfies SettingsTable

/** What `resolveSettings(sidecarSettings, …)` gives. */
export type SidecarSettings = SettingsOf<typeof sidecarSettings>

const DEFAULT_INBOUND: HostPort = { host: '0.0.0.0', port: 7443 }
const DEFAULT_OUTBOUND_LISTENER: HostPort = { host: '127.0.0.1', port: 7480 }

/** Undefined: the sidecar takes no inbound calls. */
export function inboundOf({
  app,
  inbound,
}: SidecarSettings): { readonly listen: HostPort; readonly app: HostPort } | undefined {
  return app ? { listen: inbound ?? DEFAULT_INBOUND, app } : undefined
}

/** The shared listener: on by default with a control plane, which is where names come from. */
export function outboundListenerOf({ outboundListener, controlPlane }: SidecarSettings): HostPort | undefined {
  if (outboundListener === 'none') return undefined
  return outboundListener ?? (controlPlane ? DEFAULT_OUTBOUND_LISTENER : undefined)
}

function parseServiceName(text: string): string {
  if (!isServiceName(text)) {
    throw new TypeError(`"${text}" is not a service name: write lower-case letters, digits and inner dashes, up to 63`)
  }
  return text
}

function parseOutboundRoute(text: string): OutboundRoute {
  const equals = text.indexOf('=')
  if (equals < 0)
    throw new TypeError(`"${text}" is not an outbound: write LISTEN=SERVICE or LISTEN=HOST:PORT,SPIFFE_ID`)
  const listen = parseHostPort(text.slice(0, equals))
  const target = text.slice(equals + 1)
  const comma = target.indexOf(',')
  if (comma < 0) return { kind: 'service', listen, service: parseServiceName(target) }
  const spiffeId = parseSpiffeId(target.slice(comma + 1))
  return { kind: 'static', listen, address: parseHostPort(target.slice(0, comma)), spiffeId }
}

function parseAccessLog(text: string): AccessLogTarget {
  if (text === 'none') return { kind: 'none' }
  return text === '-' ? { kind: 'stdout' } : { kind: 'file', path: parsePath(text) }
}

function parseHostPortOrNone(text: string): HostPort | 'none' {
  return text === 'none' ? 'none' : parseHostPort(text)
}

function parsePath(text: string): string {
  if (text === '' || text.includes('\0')) throw new TypeError('the path is empty or holds a NUL')
  return text
}

/** `sun_path` holds 108 bytes, the last of them a NUL. */
const MAX_SOCKET_PATH_BYTES = 107

function parseSocketPath(text: string): string {
  if (!text.startsWith('/') || text.endsWith('/') || text.includes('\0')) {
    throw new TypeError(`"${text}" is not a socket's path: write an absolute path, without "unix:"`)
  }
  if (Buffer.byteLength(text) > MAX_SOCKET_PATH_BYTES) {
    throw new TypeError(`"${text}" is too long for a socket: ${MAX_SOCKET_PATH_BYTES} bytes are the most`)
  }
  return text
}

function parseGroup(text: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(text)) {
    throw new TypeError(`"${text}" is not a group: write its name or its number`)
  }
  return text
}

function parseWorkloadAttestation(text: string): WorkloadAttestation {
  if (text !== 'off' && text !== 'unix') throw new TypeError(`"${text}" is neither off nor unix`)
  return text
}

function parseBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new TypeError(`"${text}" is neither true nor false`)
  return text === 'true'
}
