import { callPushPolicy, callUnary } from './client-call.ts'
import { createChannel, type Channel } from './client-channel.ts'
import { openSyncStream } from './client-stream.ts'
import type { ControlPlaneClient, ControlPlaneClientDeps, ControlPlaneClientOptions } from './control-plane-client.ts'
import { RpcError } from './rpc-error.ts'

export function connectControlPlane(
  deps: ControlPlaneClientDeps,
  options: ControlPlaneClientOptions,
): ControlPlaneClient {
  const channels = new Set<Channel>()
  let current: Channel | undefined
  let disposed = false

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

  function renew(): void {
    if (current) deps.logger.debug('renews the connection to the control plane')
    current?.retire()
    current = undefined
  }
  const subscriptions = [deps.bundles.subscribe(renew), ...(deps.svid ? [deps.svid.subscribe(renew)] : [])]

  return {
    attest: async (request, call) => callUnary(channel(), 'Certificates/Attest', request, call),
    issue: async (request, call) => callUnary(channel(), 'Certificates/Issue', request, call),
    sync: (signal) => openSyncStream(channel(), signal),
    admin: {
      createToken: async (request, call) => callUnary(channel(), 'Admin/CreateToken', request, call),
      createEntry: async (draft, call) => callUnary(channel(), 'Admin/CreateEntry', draft, call),
      listEntries: async (request, call) => callUnary(channel(), 'Admin/ListEntries', request, call),
      deleteEntry: async (id, call) => callUnary(channel(), 'Admin/DeleteEntry', id, call),
      pushPolicy: async (bundle, call) => callPushPolicy(channel(), bundle, call),
      listPolicies: async (call) => callUnary(channel(), 'Admin/ListPolicies', undefined, call),
      rotateSvids: async (spiffeId, call) => callUnary(channel(), 'Admin/RotateSvids', spiffeId, call),
      getStatus: async (call) => callUnary(channel(), 'Admin/GetStatus', undefined, call),
    },
    async [Symbol.asyncDispose]() {
      disposed = true
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      await Promise.all([...channels].map((opened) => opened.close()))
    },
  }
}
