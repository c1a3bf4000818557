import { connect } from 'node:http2'
import { connect as connectSocket, type Socket } from 'node:net'
import {
  createBundleSource,
  createJwtSvid,
  generateKeyPair,
  toJwtAuthority,
  type SpiffeId,
  type TrustBundle,
} from '@picket/identity'
import { createTestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import { createWatch, type Clock } from '@picket/runtime'
import type { IssuedJwtSvid, WorkloadIdentity, WorkloadSource } from './workload-source.ts'

export const TOKEN_LIFE_MS = 300_000

export type IdentityOptions = Partial<Omit<WorkloadIdentity, 'svid'>> & TestSvidOptions

/** A source made of throw-away authorities for two trust domains, each part a watch for the test to set. */
export function createTestSource(clock: Clock) {
  const authority = createTestAuthority('bank.test', { clock })
  const partner = createTestAuthority('partner.test', { clock })
  const jwtKeys = generateKeyPair()
  const own: TrustBundle = { ...authority.bundle, jwtAuthorities: [toJwtAuthority('k1', jwtKeys.publicKey)] }
  const identities = createWatch<readonly WorkloadIdentity[]>([])
  const bundles = createWatch(createBundleSource([own, partner.bundle]))
  const crl = createWatch<Buffer | undefined>(undefined)
  const issued: string[] = []
  const issueJwt = (id: SpiffeId, audience: readonly string[]): Promise<IssuedJwtSvid> => {
    issued.push(`${id.path} ${audience.join(' ')}`)
    const [issuedAt, expiresAt] = [new Date(clock.now()), new Date(clock.now() + TOKEN_LIFE_MS)]
    const token = createJwtSvid({ id, audience, issuedAt, expiresAt }, { keyId: 'k1', privateKey: jwtKeys.privateKey })
    return Promise.resolve({ token, expiresAtMs: expiresAt.getTime() })
  }
  const source: WorkloadSource = { identities, bundles, crl, issueJwt }
  return {
    authority,
    partner,
    own,
    identities,
    bundles,
    crl,
    issued,
    source,
    identity: (path: string, options: IdentityOptions = {}): WorkloadIdentity => {
      const { hint = '', selectors = [], federatesWith = [], ...svid } = options
      return { svid: authority.issueSvid(path, svid), hint, selectors, federatesWith }
    },
  }
}

/** The first message of `FetchX509SVID`, or `grpc-status N`; by hand, as only rpc may know gRPC. */
export function fetchX509Svid(target: string | { readonly host: string; readonly port: number }): Promise<string> {
  return new Promise((resolve) => {
    const open = (): Socket => (typeof target === 'string' ? connectSocket(target) : connectSocket(target))
    const session = connect('http://localhost', { createConnection: open })
    const end = (answer: string): void => {
      session.destroy()
      resolve(answer)
    }
    session.on('error', (error: Error) => end(error.message))
    const path = '/SpiffeWorkloadAPI/FetchX509SVID'
    const headers = { 'content-type': 'application/grpc', te: 'trailers', 'workload.spiffe.io': 'true' }
    const stream = session.request({ ':method': 'POST', ':path': path, ...headers })
    const status = (given: Readonly<Record<string, unknown>>): void => {
      if (typeof given['grpc-status'] === 'string') end(`grpc-status ${given['grpc-status']}`)
    }
    stream.on('response', status)
    stream.on('trailers', status)
    stream.on('data', (bytes: Buffer) => end(bytes.toString('latin1')))
    stream.on('error', (error) => end(error.message))
    stream.end(Buffer.alloc(5))
  })
}
