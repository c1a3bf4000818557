import type { Wire } from './contract.ts'
import { present, toWire } from './codec.ts'
import type { Hello, Nack, Report, ResourceRevision, SyncPush, SyncRequestMessage } from './messages.ts'
import { decodeKind, encodeKind } from './resource-kind.ts'
import { RpcError } from './rpc-error.ts'

type RequestSent = Wire<'Sync/Sync'>['requestSent']
type RequestRead = Wire<'Sync/Sync'>['requestRead']
type ResponseSent = Wire<'Sync/Sync'>['responseSent']
type ResponseRead = Wire<'Sync/Sync'>['responseRead']

/** What one sidecar may make the control plane remember about it, in characters and in number. */
const LIMITS = { name: 256, text: 1024, reasons: 32, held: 16, authorities: 16 } as const

/** The end of time as ECMAScript knows it. */
const LAST_INSTANT_MS = 8.64e15

export function encodeSyncRequest(message: SyncRequestMessage): RequestSent {
  switch (message.kind) {
    case 'hello':
      return { hello: { ...message, held: message.held.map(encodeRevision) } }
    case 'ack':
      return { ack: { kind: encodeKind(message.resource), revision: message.revision } }
    case 'nack': {
      const { resource, revision, code, message: text } = message
      return { nack: { kind: encodeKind(resource), revision, code, message: text.slice(0, LIMITS.text) } }
    }
    case 'report':
      return {
        report: toWire({
          ...message,
          notReadyReasons: message.notReadyReasons.slice(0, LIMITS.reasons),
          authorityKeyIds: message.authorityKeyIds.slice(0, LIMITS.authorities),
        }),
      }
  }
}

/** Undefined: about a kind of resource that this version does not know. Throws `ERR_RPC_INVALID`. */
export function decodeSyncRequest(wire: RequestRead): SyncRequestMessage | undefined {
  const { message } = wire
  if (message === undefined) throw new RpcError('ERR_RPC_INVALID', 'an empty message')
  switch (message) {
    case 'hello':
      return decodeHello(present(wire.hello, 'hello'))
    case 'ack': {
      const { kind, revision } = present(wire.ack, 'ack')
      const resource = decodeKind(kind)
      return resource && { kind: 'ack', resource, revision: short(revision, 'revision') }
    }
    case 'nack':
      return decodeNack(present(wire.nack, 'nack'))
    case 'report':
      return decodeReport(present(wire.report, 'report'))
  }
}

export function encodeSyncPush(push: SyncPush): ResponseSent {
  if (push.kind === 'rotate-svid') return { rotateSvid: {} }
  return { chunk: { ...push.chunk, kind: encodeKind(push.chunk.kind) } }
}

/** Undefined: something that only a newer control plane knows. */
export function decodeSyncPush({ chunk, rotateSvid }: ResponseRead): SyncPush | undefined {
  if (rotateSvid) return { kind: 'rotate-svid' }
  const kind = chunk ? decodeKind(chunk.kind) : undefined
  return chunk && kind ? { kind: 'chunk', chunk: { ...chunk, kind } } : undefined
}

function encodeRevision({ kind, revision }: ResourceRevision): {
  kind: ReturnType<typeof encodeKind>
  revision: string
} {
  return { kind: encodeKind(kind), revision }
}

function decodeHello(hello: NonNullable<RequestRead['hello']>): Hello {
  return {
    kind: 'hello',
    instanceId: short(hello.instanceId, 'instance_id'),
    version: short(hello.version, 'version'),
    takesDeltas: hello.takesDeltas,
    advertise: bounded(hello.advertise, LIMITS.text, 'advertise'),
    held: few(hello.held, LIMITS.held, 'held').flatMap(({ kind: wireKind, revision }) => {
      const kind = decodeKind(wireKind)
      return kind ? [{ kind, revision: short(revision, 'revision') }] : []
    }),
  }
}

function decodeNack(nack: NonNullable<RequestRead['nack']>): Nack | undefined {
  const resource = decodeKind(nack.kind)
  return (
    resource && {
      kind: 'nack',
      resource,
      revision: short(nack.revision, 'revision'),
      code: short(nack.code, 'code'),
      message: bounded(nack.message, LIMITS.text, 'message'),
    }
  )
}

function decodeReport(report: NonNullable<RequestRead['report']>): Report {
  if (Math.abs(report.svidNotAfterMs) > LAST_INSTANT_MS) {
    throw new RpcError('ERR_RPC_INVALID', '"svid_not_after_ms" is not an instant')
  }
  return {
    ...report,
    kind: 'report',
    svidSerial: short(report.svidSerial, 'svid_serial'),
    keyExchangeGroup: short(report.keyExchangeGroup, 'key_exchange_group'),
    svidKeyAlgorithm: short(report.svidKeyAlgorithm, 'svid_key_algorithm'),
    authorityKeyIds: few(report.authorityKeyIds, LIMITS.authorities, 'authority_key_ids').map((keyId) =>
      short(keyId, 'authority_key_ids'),
    ),
    notReadyReasons: few(report.notReadyReasons, LIMITS.reasons, 'not_ready_reasons').map((reason) =>
      bounded(reason, LIMITS.text, 'not_ready_reasons'),
    ),
  }
}

function short(text: string, name: string): string {
  return bounded(text, LIMITS.name, name)
}

function bounded(text: string, limit: number, name: string): string {
  if (text.length > limit) throw new RpcError('ERR_RPC_INVALID', `"${name}" is longer than ${limit} characters`)
  return text
}

function few<T>(list: readonly T[], limit: number, name: string): readonly T[] {
  if (list.length > limit) throw new RpcError('ERR_RPC_INVALID', `"${name}" has more than ${limit} members`)
  return list
}
