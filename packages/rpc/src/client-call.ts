import type { ClientWritableStream } from '@grpc/grpc-js'
import { CHUNK_BYTES } from './chunks.ts'
import type { Channel } from './client-channel.ts'
import type { CallOptions } from './control-plane-client.ts'
import { UNARY, type Codec, type RequestOf, type ResponseOf, type UnaryMethod, type UploadMethod } from './codec.ts'
import { methodDefinition, type Wire } from './contract.ts'

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

/** Many messages, one answer. */
export async function callUpload<M extends UploadMethod>(
  channel: Channel,
  method: M,
  messages: Iterable<Wire<M>['requestSent']>,
  { signal, deadlineMs = UPLOAD_MS }: CallOptions = {},
): Promise<Wire<M>['responseRead']> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
  const until = channel.deadline(deadlineMs)
  const response = await channel.settle<object>(signal, (callback) => {
    const call = channel.client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, until, callback)
    call.on('error', () => {}) // a refusal in mid-upload fails the writes behind it; the answer tells why
    void writeAll(call, messages)
    return call
  })
  return response
}

export function* cutPolicy(bundle: Buffer): Iterable<Wire<'Admin/PushPolicy'>['requestSent']> {
  for (let at = 0; at < bundle.length; at += CHUNK_BYTES) yield { content: bundle.subarray(at, at + CHUNK_BYTES) }
}

/** One message at a time, so that the transport holds no more than it must. Never rejects. */
async function writeAll(call: ClientWritableStream<object>, messages: Iterable<object>): Promise<void> {
  for (const message of messages) await new Promise<unknown>((written) => call.write(message, written))
  call.end()
}
