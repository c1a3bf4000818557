import { RpcError, type Hello, type Report, type SyncRequestMessage, type SyncServerStream } from '@picket/rpc'
import { parseHostPort, type Clock, type Logger } from '@picket/runtime'
import type { Enrollment, EnrollmentService } from '../registration/enrollment.ts'
import { ControlPlaneError } from '../error.ts'
import { toRpcError } from '../rpc-answer.ts'
import type { SidecarList } from './sidecar-list.ts'
import type { Opening, SyncConnection, SyncIdentity } from './sync-connection.ts'
import type { Standing } from './sync-resources.ts'

export interface StreamDeps {
  readonly enrollment: Pick<EnrollmentService, 'confirm'>
  readonly clock: Pick<Clock, 'after'>
  readonly logger: Logger
}

/** RFC 1035; every sidecar is told of it, and refuses the whole list for one that is longer than it takes. */
const MOST_HOST_CHARACTERS = 253
/** A stream on which nobody says who it is ends. */
const HELLO_WITHIN_MS = 10_000

/** What becomes of a stream once it is a sidecar's. */
export interface StreamOwner {
  readonly sidecars: SidecarList
  begin(stream: SyncServerStream, opening: Opening): SyncConnection
  receive(connection: SyncConnection, message: SyncRequestMessage): void
  finish(connection: SyncConnection): void
}

/** From the first message on: Hello, the entries' word on it, then the connection's own business. */
export function openStream(
  stream: SyncServerStream,
  { enrollment, clock, logger }: StreamDeps,
  identity: SyncIdentity,
  owner: StreamOwner,
): void {
  let connection: SyncConnection | undefined
  let greeted = false
  let early: Report | undefined
  let open = true
  const patience = clock.after(HELLO_WITHIN_MS, () => {
    stream.end(new RpcError('ERR_RPC_DEADLINE', 'a stream begins with a Hello, and none came'))
  })

  async function greet(hello: Hello): Promise<void> {
    checkHello(hello, owner.sidecars, identity)
    const confirmed = await enrollment.confirm(identity.id, identity.serialNumber)
    if (!open) return
    if (confirmed.kind === 'denied') {
      logger.warn('stream denied', { spiffeId: identity.id.uri, reason: confirmed.reason, detail: confirmed.detail })
      throw new RpcError('ERR_RPC_DENIED', confirmed.message)
    }
    connection = owner.begin(stream, { identity, hello, standing: toStanding(confirmed) })
    if (early) owner.receive(connection, early)
  }

  stream.onMessage((message: SyncRequestMessage) => {
    if (connection) return owner.receive(connection, message)
    if (greeted && message.kind === 'report') return void (early = message)
    if (greeted && message.kind !== 'hello') return // about something that was not sent
    if (greeted || message.kind !== 'hello') throw new RpcError('ERR_RPC_INVALID', 'a stream begins with one Hello')
    greeted = true
    patience[Symbol.dispose]()
    greet(message).catch((thrown: unknown) => stream.end(toRpcError(thrown) as Error))
  })
  stream.onEnd(() => {
    open = false
    patience[Symbol.dispose]()
    if (connection) owner.finish(connection)
  })
}

function checkHello(hello: Hello, sidecars: SidecarList, { id }: SyncIdentity): void {
  if (hello.instanceId === '' || /\p{C}/u.test(hello.instanceId)) {
    throw new RpcError('ERR_RPC_INVALID', 'instance_id is empty, or holds what does not print')
  }
  if (!sidecars.hasRoomFor(id.uri)) throw new RpcError('ERR_RPC_EXHAUSTED', 'too many instances of this SPIFFE ID')
  if (hello.advertise === '') return
  try {
    const { host, port } = parseHostPort(hello.advertise)
    if (port > 0 && host.length <= MOST_HOST_CHARACTERS && host !== '0.0.0.0' && host !== '::') return
  } catch {
    // said below
  }
  throw new ControlPlaneError('ERR_ADVERTISE', `advertise: "${hello.advertise}" is no HOST:PORT that others can reach`)
}

/** What the entries give. */
export function toStanding({ entry, identities, attestation: { facts } }: Enrollment): Standing {
  return { entry, identities, facts }
}
