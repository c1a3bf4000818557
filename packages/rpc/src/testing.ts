import { Client } from '@grpc/grpc-js'
import { createTestAuthority, type TestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import { createWatch, formatHostPort, systemClock, type Clock } from '@picket/runtime'
import { createRecordingLogger, type LogEntry } from '@picket/runtime/testing'
import { controlPlaneId } from './caller.ts'
import { connectControlPlane } from './client.ts'
import type { ControlPlaneClient } from './control-plane-client.ts'
import { VerifyingCredentials } from './credentials.ts'
import type { AdminHandlers, ControlPlaneHandlers } from './handlers.ts'
import type { AttestResponse, Entry, PolicyRevision, Status } from './messages.ts'
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
  sidecars: [
    {
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
    },
  ],
}

const ADMIN: AdminHandlers = {
  createToken: () => Promise.resolve({ token: 'shown once', expiresAtMs: 1 }),
  createEntry: (draft) => Promise.resolve({ ...draft, id: 'e1', createdAtMs: 1 }),
  listEntries: () => Promise.resolve({ entries: [ENTRY], nextPageToken: 'e1' }),
  deleteEntry: () => Promise.resolve(ENTRY),
  pushPolicy: (bundle) => Promise.resolve({ ...POLICY, bytes: bundle.length }),
  listPolicies: () => Promise.resolve([POLICY]),
  rotateSvids: (spiffeId) => Promise.resolve([spiffeId]),
  getStatus: () => Promise.resolve(STATUS),
}

export type HandlerOverrides = Partial<Omit<ControlPlaneHandlers, 'admin'>> & {
  readonly admin?: Partial<AdminHandlers>
}

export interface TestControlPlane extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly server: ControlPlaneServer
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
  const bundles = createWatch(authority.bundles)
  const server = stack.use(
    await startControlPlaneServer(
      { svid: createWatch(svid), bundles, clock, logger },
      { address: { host: '127.0.0.1', port: 0 }, trustDomain: authority.trustDomain, drainTimeoutMs: 500 },
      {
        attest: () => Promise.resolve(SVID_ANSWER),
        issue: () => Promise.resolve({ svid: SVID_ANSWER.svid }),
        sync: () => {},
        ...overrides,
        admin: { ...ADMIN, ...overrides.admin },
      },
    ),
  )
  return {
    authority,
    server,
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
      const expectation = { svid: own, bundles: authority.bundles, expected, handshakeTimeoutMs: 5000 }
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
