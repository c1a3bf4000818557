import type { ClientWritableStream } from '@grpc/grpc-js'
import { CHUNK_BYTES } from './chunks.ts'
import type { Channel } from './client-channel.ts'
import type { CallOptions } from './control-plane-client.ts'
import { UNARY, type Codec, type RequestOf, type ResponseOf, type UnaryMethod } from './codec.ts'
import { methodDefinition, type Wire } from './contract.ts'
import type { PolicyRevision } from './messages.ts'

const CALL_MS = 10_000
const UPLOAD_MS = 60_000

/** One request, one answer. */
export async function callUnary<M extends UnaryMethod>(
  channel: Channel,
  method: M,
  request: RequestOf<M>,
  { signal, deadlineMs = CALL_MS }: CallOptions = {},
): Promise<ResponseOf<M>> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
  const codec = UNARY[method] as unknown as Codec<M, RequestOf<M>, ResponseOf<M>>
  const message: object = codec.encodeRequest(request)
  const until = channel.deadline(deadlineMs)
  const response: Wire<M>['responseRead'] = await channel.settle<object>(signal, (callback) =>
    channel.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, until, callback),
  )
  return codec.decodeResponse(response)
}

/** A policy bundle in pieces, one answer. */
export async function callPushPolicy(
  channel: Channel,
  bundle: Buffer,
  { signal, deadlineMs = UPLOAD_MS }: CallOptions = {},
): Promise<PolicyRevision> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition('Admin/PushPolicy')
  const until = channel.deadline(deadlineMs)
  const response = await channel.settle<object>(signal, (callback) => {
    const call = channel.client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, until, callback)
    call.on('error', () => {}) // a refusal in mid-upload fails the writes behind it; the answer tells why
    void writePieces(call, bundle)
    return call
  })
  return response as Wire<'Admin/PushPolicy'>['responseRead']
}

/** One piece at a time, so that the transport holds no more than it must. Never rejects. */
async function writePieces(call: ClientWritableStream<object>, bundle: Buffer): Promise<void> {
  for (let at = 0; at < bundle.length; at += CHUNK_BYTES) {
    const content = bundle.subarray(at, at + CHUNK_BYTES)
    await new Promise<unknown>((written) => call.write({ content }, written))
  }
  call.end()
}
