import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, Metadata, status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js'
import { createWatch, systemClock, type Clock, type WatchSource } from '@picket/runtime'
import { createRecordingLogger, type LogEntry } from '@picket/runtime/testing'
import type { RpcError } from '../rpc-error.ts'
import { serviceDefinitions, WORKLOAD_API, type SECRET_DISCOVERY } from './definitions.ts'
import type { WorkloadHandlers } from './handlers.ts'
import type { JwtBundleState, SecretState, X509BundleState, X509SvidState } from './messages.ts'
import { createWorkloadServer, type WorkloadServer } from './server.ts'

export const HEADER = { 'workload.spiffe.io': 'true' }

export function svidState(hint: string): X509SvidState {
  const svid = { chain: Buffer.from('chain'), key: Buffer.from('key'), bundle: Buffer.from('bundle'), hint }
  const federatedBundles = { 'spiffe://partner.test': Buffer.from('partner') }
  return { svids: [{ spiffeId: 'spiffe://bank.test/payments', ...svid }], crls: [Buffer.from('crl')], federatedBundles }
}

export const SECRETS: SecretState = {
  svids: [
    { spiffeId: 'spiffe://bank.test/payments', chain: 'chain 1', key: 'key 1' },
    { spiffeId: 'spiffe://bank.test/ledger', chain: 'chain 2', key: 'key 2' },
  ],
  bundles: [
    { trustDomain: 'spiffe://bank.test', authorities: 'bank' },
    { trustDomain: 'spiffe://partner.test', authorities: 'partner' },
  ],
}

type Caller = string

export interface TestWorkloads extends AsyncDisposable {
  readonly server: WorkloadServer<Caller>
  readonly path: string
  readonly log: readonly LogEntry[]
  readonly svids: WatchSource<X509SvidState | RpcError>
  readonly bundles: WatchSource<X509BundleState | RpcError>
  readonly jwtBundles: WatchSource<JwtBundleState | RpcError>
  readonly secrets: WatchSource<SecretState | RpcError>
  /** Who was asked who they are. */
  readonly attested: number
  client(): Client
}

/** A real server on a Unix socket whose states are watches for the test to set. */
export async function startTestWorkloads(
  overrides: Partial<WorkloadHandlers<Caller>> & { readonly attest?: () => Promise<Caller> } = {},
  clock: Clock = systemClock,
): Promise<TestWorkloads> {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'picket-workload-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const svids = createWatch<X509SvidState | RpcError>(svidState(''))
  const bundles = createWatch<X509BundleState | RpcError>({
    crls: [],
    bundles: { 'spiffe://bank.test': Buffer.from('b') },
  })
  const jwtBundles = createWatch<JwtBundleState | RpcError>({ bundles: { 'spiffe://bank.test': '{"keys":[]}' } })
  const secrets = createWatch<SecretState | RpcError>(SECRETS)
  const logger = createRecordingLogger()
  const { attest = () => Promise.resolve('caller'), ...handlers } = overrides
  const server = stack.use(
    createWorkloadServer<Caller>(
      { clock, logger },
      {
        x509Svids: () => svids,
        x509Bundles: () => bundles,
        jwtBundles: () => jwtBundles,
        secrets: () => secrets,
        fetchJwtSvids: ({ audience }) =>
          Promise.resolve([{ spiffeId: 'spiffe://bank.test/payments', token: audience.join(' '), hint: 'h' }]),
        validateJwtSvid: ({ audience, token }) =>
          Promise.resolve({ spiffeId: token, claims: { aud: [audience], exp: 1, deep: { a: null, b: [true, 'x'] } } }),
        ...handlers,
      },
    ),
  )
  let attested = 0
  const path = join(folder, 'api.sock')
  const listener = createServer((socket: Socket) =>
    server.serve(socket, () => {
      attested += 1
      return attest()
    }),
  )
  listener.listen(path)
  await once(listener, 'listening')
  stack.defer(() => void listener.close())
  return {
    server,
    path,
    log: logger.entries,
    svids,
    bundles,
    jwtBundles,
    secrets,
    get attested() {
      return attested
    },
    client() {
      const client = new Client(`unix:${path}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
      stack.defer(() => client.close())
      return client
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const toItself = (bytes: Buffer): Buffer => bytes

export function toMetadata(headers: Readonly<Record<string, string | readonly string[]>>): Metadata {
  const metadata = new Metadata()
  for (const [name, values] of Object.entries(headers)) for (const value of [values].flat()) metadata.add(name, value)
  return metadata
}

/** `{ response }`, or `CODE: details`. */
export function callUnary(
  client: Client,
  method: string,
  request: object | Buffer,
  headers: Readonly<Record<string, string | readonly string[]>> = HEADER,
): Promise<object | string> {
  const [service, name] = splitMethod(method)
  const definition = serviceDefinitions(service)[name]!
  const bytes = Buffer.isBuffer(request) ? request : definition.requestSerialize(request)
  return new Promise((resolve) => {
    const { path, responseDeserialize } = definition
    client.makeUnaryRequest(path, toItself, responseDeserialize, bytes, toMetadata(headers), (error, response) =>
      resolve(error ? showError(error) : response!),
    )
  })
}

export interface Reader {
  /** The next message, or `CODE: details` when the stream ended with an error, or `end`. */
  readonly next: () => Promise<unknown>
  readonly stream: ClientReadableStream<object>
}

export function openStream(
  client: Client,
  method: string,
  headers: Readonly<Record<string, string | readonly string[]>> = HEADER,
  request: object | Buffer = {},
): Reader {
  const [service, name] = splitMethod(method)
  const { path, requestSerialize, responseDeserialize } = serviceDefinitions(service)[name]!
  const bytes = Buffer.isBuffer(request) ? request : requestSerialize(request)
  return toReader(client.makeServerStreamRequest(path, toItself, responseDeserialize, bytes, toMetadata(headers)))
}

export function toReader<Stream extends ClientReadableStream<object>>(
  stream: Stream,
): Reader & { readonly stream: Stream } {
  const queue: unknown[] = []
  let wake = Promise.withResolvers<void>()
  const add = (item: unknown): void => {
    queue.push(item)
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }
  stream.on('data', add)
  stream.on('error', (error: ServiceError) => add(showError(error)))
  stream.on('end', () => add('end'))
  return {
    stream,
    async next() {
      while (queue.length === 0) await wake.promise
      return queue.shift()
    },
  }
}

function splitMethod(method: string): [typeof WORKLOAD_API | typeof SECRET_DISCOVERY, string] {
  const slash = method.lastIndexOf('/')
  return slash < 0
    ? [WORKLOAD_API, method]
    : [method.slice(0, slash) as typeof SECRET_DISCOVERY, method.slice(slash + 1)]
}

export function showError({ code, details }: ServiceError): string {
  return `${status[code]}: ${details}`
}

/** The refusal; a message where one was not expected shows as JSON. */
export function textOf(answer: unknown): string {
  return typeof answer === 'string' ? answer : JSON.stringify(answer)
}
