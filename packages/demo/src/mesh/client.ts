import { Agent, request } from 'node:http'
import { systemClock, type HostPort } from '@picket/runtime'

/** A call as the service's own code would make it: plain HTTP to its sidecar on loopback, the callee named by Host. */
export interface MeshClient extends Disposable {
  request(callee: string, method: string, path: string, options?: CallOptions): Promise<MeshResponse>
  get(callee: string, path: string, options?: CallOptions): Promise<MeshResponse>
  post(callee: string, path: string, body: unknown, options?: CallOptions): Promise<MeshResponse>
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

export interface MeshResponse {
  /** 0 when the connection failed; `body` says how. */
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  readonly durationMs: number
}

/** `outbound` is the sidecar's shared listener; with `direct`, an app's own address, called without a mesh name. */
export function createMeshClient(outbound: HostPort, direct = false): MeshClient {
  const agent = new Agent({ keepAlive: true })

  function call(callee: string, method: string, path: string, options: CallOptions = {}): Promise<MeshResponse> {
    const startedMs = systemClock.monotonicMs()
    return new Promise((resolve) => {
      const finish = (status: number, headers: MeshResponse['headers'], body: string): void =>
        resolve({ status, headers, body, durationMs: systemClock.monotonicMs() - startedMs })
      const host = direct ? callee : `${callee}.mesh`
      const headers = { ...options.headers, host, 'content-length': Buffer.byteLength(options.body ?? '') }
      const outgoing = request({ ...outbound, agent, method, path, headers, timeout: 30_000 }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
        response.on('end', () => finish(response.statusCode ?? 0, response.headers, body))
        response.on('error', (error) => finish(0, {}, error.message))
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer for 30 s')))
      outgoing.on('error', (error) => finish(0, {}, error.message))
      outgoing.end(options.body)
    })
  }

  return {
    request: call,
    get: (callee, path, options) => call(callee, 'GET', path, options),
    post: (callee, path, body, options) =>
      call(callee, 'POST', path, {
        ...options,
        headers: { 'content-type': 'application/json', ...options?.headers },
        body: JSON.stringify(body),
      }),
    [Symbol.dispose]: () => agent.destroy(),
  }
}
