import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { startForwarder, type Forwarder } from './testing-forwarder.ts'

interface App extends AsyncDisposable {
  readonly port: number
  readonly requests: number
}

/** An ordinary application, as users write them. */
async function startApp(): Promise<App> {
  let requests = 0
  const server = http.createServer((request: IncomingMessage, response: ServerResponse) => {
    requests += 1
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      response.setHeader('x-method', request.method!)
      response.setHeader('x-trailer', String(request.trailers['x-sum'] ?? ''))
      if (request.url === '/empty') return void response.writeHead(204).end()
      if (request.url === '/chunks') {
        response.writeHead(200, { trailer: 'x-sum' })
        response.write('one ')
        response.addTrailers({ 'x-sum': '42' })
        return void response.end('two')
      }
      response.end(pieces.length > 0 ? Buffer.concat(pieces) : `hello ${request.url}`)
    })
  })
  server.on('checkContinue', (_, response: ServerResponse) => {
    response.writeContinue()
    server.emit('request', _, response)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get requests() {
      return requests
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return false
  }
}

const skip = hasCurl() ? false : 'curl is not installed: apt-get install curl'

function curl(...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 64 * 2 ** 20 }
    execFile('curl', ['--silent', '--show-error', '--max-time', '20', ...args], options, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    )
  })
}

async function withCurl(run: (url: string, server: Forwarder, app: App) => Promise<void>): Promise<void> {
  await using app = await startApp()
  await using server = await startForwarder({ upstreamPort: app.port })
  await run(`http://127.0.0.1:${server.port}`, server, app)
}

test('curl gets, heads, posts and reuses its connection', { skip }, () =>
  withCurl(async (url, server) => {
    assert.equal(await curl(`${url}/a?b=c`), 'hello /a?b=c')
    assert.match(await curl('--head', `${url}/a`), /^HTTP\/1\.1 200 OK\r\n.*x-method: HEAD/s)
    assert.equal(await curl('--data', 'x=1', `${url}/`), 'x=1')
    assert.match(await curl('--include', `${url}/empty`), /^HTTP\/1\.1 204 /)
    assert.equal(await curl('--write-out', ' %{num_connects}', `${url}/1`, `${url}/2`), 'hello /1 1hello /2 0')
    assert.equal(server.pool.counts.opened, 1)
  }),
)

test('curl sends a chunked body and reads chunks and trailers', { skip }, () =>
  withCurl(async (url) => {
    const body = 'y'.repeat(100_000)
    const sent = await curl('--header', 'Transfer-Encoding: chunked', '--data-binary', body, `${url}/`).catch(String)
    assert.equal(sent, body)
    assert.equal(await curl(`${url}/chunks`), 'one two')
    assert.match(await curl('--include', '--raw', `${url}/chunks`), /0\r\nx-sum: 42\r\n\r\n$/)
  }),
)

test('curl expects 100-continue and gets it from the application', { skip }, () =>
  withCurl(async (url) => {
    const answer = await curl('--include', '--header', 'Expect: 100-continue', '--data', 'x=1', `${url}/`)
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n.*x=1$/s)
  }),
)

test('curl speaks HTTP/1.0', { skip }, () =>
  withCurl(async (url) => {
    assert.match(
      await curl('--http1.0', '--include', `${url}/a`),
      /^HTTP\/1\.1 200 OK\r\n.*connection: close.*hello \/a$/s,
    )
  }),
)

test('node:http keeps its connection through the forwarder, and the forwarder its own to the application', async () => {
  await using app = await startApp()
  await using server = await startForwarder({ upstreamPort: app.port })
  using agent = {
    agent: new http.Agent({ keepAlive: true, maxSockets: 4 }),
    [Symbol.dispose]: () => agent.agent.destroy(),
  }
  const one = (n: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const body = n % 2 === 0 ? 'x'.repeat(n * 100) : ''
      const options = { port: server.port, agent: agent.agent, path: `/${n}`, method: body === '' ? 'GET' : 'POST' }
      const request = http.request(options, (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => (text === (body || `hello /${n}`) ? resolve(text) : reject(new Error(text))))
      })
      request.on('error', reject)
      request.end(body)
    })
  await Promise.all(Array.from({ length: 200 }, (_, n) => one(n + 1)))
  assert.equal(app.requests, 200)
  assert.ok(server.pool.counts.opened <= 4)
  assert.ok(server.outcomes.every(({ status, flag }) => status === 200 && flag === ''))
})
