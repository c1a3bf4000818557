import { callUnary, callUpload, cutPolicy } from './client-call.ts'
import { createChannel, type Channel } from './client-channel.ts'
import { openSyncStream } from './client-stream.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from './codec.ts'
import type {
  CallOptions,
  ControlPlaneClient,
  ControlPlaneClientDeps,
  ControlPlaneClientOptions,
} from './control-plane-client.ts'
import { RpcError } from './rpc-error.ts'
import { cutChanges } from './upload.ts'

export function connectControlPlane(
  deps: ControlPlaneClientDeps,
  options: ControlPlaneClientOptions,
): ControlPlaneClient {
  const channels = new Set<Channel>()
  let current: Channel | undefined
  let disposed = false
  let group: string | undefined

  function channel(): Channel {
    if (disposed) throw new RpcError('ERR_RPC_CANCELLED', 'the client is closed')
    current ??= open()
    return current
  }

  function open(): Channel {
    const opened = createChannel(deps, options, () => channels.delete(opened))
    channels.add(opened)
    return opened
  }

  /** That of the connection before is told until the next has made its handshake. */
  function groupNow(): string | undefined {
    group = current?.server.group ?? group
    return group
  }

  function retire(): void {
    groupNow()
    current?.retire()
    current = undefined
  }

  function renew(): void {
    if (current) deps.logger.debug('renews the connection to the control plane')
    retire()
  }

  /** Bundles change for a thousand clients at once: a connection whose server passes anew stays. */
  function reverify(): void {
    for (const opened of [...channels].filter(({ server }) => server.isRefused)) {
      deps.logger.warn('ends the connection to the control plane: its certificate no longer verifies')
      if (opened === current) current = undefined
      void opened.close(new RpcError('ERR_RPC_WRONG_SERVER', 'the certificate of the control plane no longer verifies'))
    }
  }
  const subscriptions = [deps.bundles.subscribe(reverify), ...(deps.svid ? [deps.svid.subscribe(renew)] : [])]

  return {
    ...createCalls(channel),
    sync: (signal, call) => openSyncStream(channel(), signal, call),
    release: retire,
    get keyExchangeGroup() {
      return groupNow()
    },
    async [Symbol.asyncDispose]() {
      disposed = true
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      await Promise.all([...channels].map((opened) => opened.close()))
    },
  }
}

type Calls = Omit<ControlPlaneClient, 'sync' | 'release' | 'keyExchangeGroup' | typeof Symbol.asyncDispose>

/** Each method of the contract, on the channel of its moment. */
function createCalls(channel: () => Channel): Calls {
  const unary =
    <M extends UnaryMethod>(method: M) =>
    async (request: RequestOf<M>, call?: CallOptions): Promise<ResponseOf<M>> =>
      callUnary(channel(), method, request, call)
  const asked =
    <M extends UnaryMethod>(method: M) =>
    async (call?: CallOptions): Promise<ResponseOf<M>> =>
      callUnary(channel(), method, undefined as RequestOf<M>, call)

  return {
    challenge: asked('Certificates/Challenge'),
    attest: unary('Certificates/Attest'),
    issue: unary('Certificates/Issue'),
    issueJwt: unary('Certificates/IssueJwt'),
    admin: {
      createToken: unary('Admin/CreateToken'),
      createEntry: unary('Admin/CreateEntry'),
      listEntries: unary('Admin/ListEntries'),
      deleteEntry: unary('Admin/DeleteEntry'),
      applyEntries: async (request, call) => callUpload(channel(), 'Admin/ApplyEntries', cutChanges(request), call),
      explainIdentity: unary('Admin/ExplainIdentity'),
      pushPolicy: async (bundle, call) => callUpload(channel(), 'Admin/PushPolicy', cutPolicy(bundle), call),
      listPolicies: asked('Admin/ListPolicies'),
      rotateSvids: unary('Admin/RotateSvids'),
      getStatus: asked('Admin/GetStatus'),
      listSidecars: unary('Admin/ListSidecars'),
    },
    authorities: {
      getAuthorities: asked('Authorities/GetAuthorities'),
      prepare: unary('Authorities/PrepareAuthority'),
      activate: unary('Authorities/ActivateAuthority'),
      taint: unary('Authorities/TaintAuthority'),
      revoke: unary('Authorities/RevokeAuthority'),
      rotate: unary('Authorities/RotateAuthorities'),
    },
    revocations: {
      create: unary('Revocations/CreateRevocation'),
      delete: unary('Revocations/DeleteRevocation'),
      list: unary('Revocations/ListRevocations'),
    },
    federation: {
      set: unary('Federation/SetRelationship'),
      delete: unary('Federation/DeleteRelationship'),
      list: asked('Federation/ListRelationships'),
      refresh: unary('Federation/RefreshRelationship'),
    },
  }
}
