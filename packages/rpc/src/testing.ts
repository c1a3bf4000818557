import { Client } from '@grpc/grpc-js'
import { createTestAuthority, type TestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import type { BundleSource } from '@picket/identity'
import { DEFAULT_KEY_EXCHANGE } from '@picket/mtls'
import {
  createMetrics,
  createWatch,
  formatHostPort,
  systemClock,
  type Clock,
  type Metrics,
  type WatchSource,
} from '@picket/runtime'
import { createRecordingLogger, type LogEntry } from '@picket/runtime/testing'
import { controlPlaneId } from './caller.ts'
import { connectControlPlane } from './client.ts'
import type { ControlPlaneClient } from './control-plane-client.ts'
import { VerifyingCredentials } from './credentials.ts'
import type { AdminHandlers, ControlPlaneHandlers } from './handlers.ts'
import type { Entry, PolicyRevision, SidecarStatus, Status } from './admin-messages.ts'
import type { AuthorityStatus, Relationship, Revocation } from './authority-messages.ts'
import type { AttestResponse } from './messages.ts'
import { RpcError } from './rpc-error.ts'
import { startControlPlaneServer, type ControlPlaneServer } from './server.ts'

export const SVID_ANSWER: AttestResponse = {
  svid: { spiffeId: 'spiffe://bank.test/payments', chain: [Buffer.from('leaf'), Buffer.from('intermediate')] },
  trustBundle: '{"keys":[]}',
}

export const ENTRY: Entry = {
  id: 'e1',
  spiffeId: 'spiffe://bank.test/payments',
  selectors: ['service:payments'],
  ttlSeconds: 60,
  dnsNames: ['payments.bank.test'],
  service: 'payments',
  hint: 'main',
  federatesWith: ['partner.test'],
  updatedAtMs: 1_767_225_600_000,
  createdAtMs: 1_767_225_600_000,
}

export const POLICY: PolicyRevision = {
  revision: 'r1',
  digest: 'ab',
  bytes: 3,
  pushedAtMs: 1_767_225_600_000,
  pushedBy: 'spiffe://bank.test/picket/operator',
  active: true,
}

export const STATUS: Status = {
  trustDomain: 'bank.test',
  version: '0.1.0',
  startedAtMs: 1_767_225_600_000,
  authorityKeyId: 'abcd',
  authorityNotAfterMs: 1_767_225_600_000,
  policyRevision: 'r1',
  entries: 1,
  issuedSvids: 2,
  sidecarsConnected: 1,
  svidAlgorithm: 'ec-p256',
  revocations: 0,
}

export const SIDECAR: SidecarStatus = {
  spiffeId: 'spiffe://bank.test/payments',
  service: 'payments',
  instanceId: 'i1',
  advertise: '127.0.0.1:7443',
  version: '0.1.0',
  connected: true,
  connectedAtMs: 1_767_225_600_000,
  svidSerial: '0a',
  svidNotAfterMs: 1_767_225_600_000,
  ready: false,
  notReadyReasons: ['no policy'],
  resources: [{ kind: 'policy-bundle', sentRevision: 'r2', ackedRevision: 'r1', nackCode: 'E', nackMessage: 'no' }],
  requestsAllowed: 1,
  requestsDenied: 2,
  svidRotations: 3,
  keyExchangeGroup: 'X25519MLKEM768',
  authorityKeyIds: ['abcd'],
  svidKeyAlgorithm: 'ec-p256',
}

const ADMIN: AdminHandlers = {
  createToken: () => Promise.resolve({ token: 'shown once', expiresAtMs: 1 }),
  createEntry: (draft) => Promise.resolve({ ...draft, id: 'e1', createdAtMs: 1, updatedAtMs: 1 }),
  listEntries: () => Promise.resolve({ entries: [ENTRY], nextPageToken: 'e1', revision: 7 }),
  deleteEntry: () => Promise.resolve(ENTRY),
  pushPolicy: (bundle) => Promise.resolve({ ...POLICY, bytes: bundle.length }),
  listPolicies: () => Promise.resolve([POLICY]),
  rotateSvids: (spiffeId) => Promise.resolve([spiffeId]),
  getStatus: () => Promise.resolve(STATUS),
  listSidecars: () => Promise.resolve({ sidecars: [SIDECAR], nextPageToken: '' }),
  applyEntries: ({ changes }) => Promise.resolve({ created: 0, updated: 0, deleted: changes.length, revision: 8 }),
  explainIdentity: () => Promise.resolve({ entitled: [], near: [], denials: [] }),
}

export const AUTHORITIES: AuthorityStatus = {
  authorities: [],
  rotation: undefined,
  svidAlgorithm: 'ec-p256',
  bundleSequence: '1',
  affected: [],
}

export const RELATIONSHIP: Relationship = {
  trustDomain: 'partner.test',
  url: 'https://partner.test/bundle',
  profile: 'https_web',
  endpointSpiffeId: '',
  hasBundle: false,
  sequence: '',
  refreshHintSeconds: 0,
  x509Authorities: 0,
  jwtAuthorities: 0,
  fetchedAtMs: 0,
  nextFetchAtMs: 0,
  failureCode: '',
  failureMessage: '',
}

const REVOCATION: Revocation = {
  kind: 'serial',
  value: '0a',
  reason: 'lost',
  expiresAtMs: 0,
  createdAtMs: 1,
  createdBy: 'spiffe://bank.test/picket/operator',
  acknowledged: 1,
  connected: 1,
}

const authorities = (): Promise<AuthorityStatus> => Promise.resolve(AUTHORITIES)
const relationship = (): Promise<Relationship> => Promise.resolve(RELATIONSHIP)
const revocation = (): Promise<Revocation> => Promise.resolve(REVOCATION)

const HANDLERS: Omit<ControlPlaneHandlers, 'admin'> = {
  challenge: () => Promise.resolve({ challenge: Buffer.from('challenge'), expiresAtMs: 1 }),
  attest: () => Promise.resolve(SVID_ANSWER),
  issue: () => Promise.resolve({ svid: SVID_ANSWER.svid }),
  issueJwt: ({ spiffeId }) => Promise.resolve({ spiffeId, token: 'secret', issuedAtMs: 1, expiresAtMs: 2 }),
  sync: () => {},
  authorities: {
    getAuthorities: authorities,
    prepare: authorities,
    activate: authorities,
    taint: authorities,
    revoke: authorities,
    rotate: authorities,
  },
  revocations: {
    create: revocation,
    delete: revocation,
    list: () => Promise.resolve({ revocations: [REVOCATION], nextPageToken: '' }),
  },
  federation: {
    set: relationship,
    delete: relationship,
    list: () => Promise.resolve([RELATIONSHIP]),
    refresh: relationship,
  },
}

export type HandlerOverrides = Partial<Omit<ControlPlaneHandlers, 'admin'>> & {
  readonly admin?: Partial<AdminHandlers>
}

export interface TestControlPlane extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly server: ControlPlaneServer
  /** Of both ends. */
  readonly bundles: WatchSource<BundleSource>
  readonly metrics: Metrics
  readonly log: readonly LogEntry[]
  /** A client with an SVID for `path`, or with none. Disposed of with the rest. */
  client(path?: string, options?: TestSvidOptions & { readonly issuer?: TestAuthority }): ControlPlaneClient
  /** The transport's own client, for what ours does not do. */
  rawClient(path?: string): Client
}

/** A real server on a free loopback port with canned answers where `overrides` has none. */
export async function startTestControlPlane(
  overrides: HandlerOverrides = {},
  options: { readonly serverPath?: string; readonly serverIssuer?: TestAuthority; readonly clock?: Clock } = {},
): Promise<TestControlPlane> {
  const authority = createTestAuthority('bank.test')
  const logger = createRecordingLogger()
  const stack = new AsyncDisposableStack()
  const clock = options.clock ?? systemClock
  const svid = (options.serverIssuer ?? authority).issueSvid(options.serverPath ?? '/picket/control-plane')
  const bundles = createWatch<BundleSource>(authority.bundles)
  const metrics = createMetrics()
  const server = stack.use(
    await startControlPlaneServer(
      { svid: createWatch(svid), bundles, clock, logger, metrics },
      { address: { host: '127.0.0.1', port: 0 }, trustDomain: authority.trustDomain, drainTimeoutMs: 500 },
      {
        ...HANDLERS,
        ...overrides,
        admin: { ...ADMIN, ...overrides.admin },
      },
    ),
  )
  return {
    authority,
    server,
    bundles,
    metrics,
    log: logger.entries,
    client(path, svidOptions = {}) {
      const own = path === undefined ? undefined : (svidOptions.issuer ?? authority).issueSvid(path, svidOptions)
      return stack.use(
        connectControlPlane(
          { bundles, svid: createWatch(own), clock, logger },
          { address: server.address, trustDomain: authority.trustDomain },
        ),
      )
    },
    rawClient(path) {
      const expected = controlPlaneId(authority.trustDomain)
      const own = path === undefined ? undefined : authority.issueSvid(path)
      const expectation = { svid: own, bundles, expected, handshakeTimeoutMs: 5000, keyExchange: DEFAULT_KEY_EXCHANGE }
      const client = new Client(formatHostPort(server.address), new VerifyingCredentials(expectation, clock))
      stack.defer(() => client.close())
      return client
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** `ok` or the code that the call fails with. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown
    return thrown.code
  }
}
