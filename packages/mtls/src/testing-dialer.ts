import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { parseSpiffeId, type BundleSource, type X509Svid } from '@picket/identity'
import type { TestAuthority } from '@picket/identity/testing'
import { createWatch, systemClock, type WatchSource } from '@picket/runtime'
import { createDialer, type Dialer, type DialerOptions } from './dialer.ts'
import type { PeerRefusal } from './refusal.ts'
import type { TestListener } from './testing.ts'

export const serverId = parseSpiffeId('spiffe://bank.test/server')

export interface TestDialer {
  readonly svid: WatchSource<X509Svid>
  readonly bundles: WatchSource<BundleSource>
  /** Added to the real time. */
  readonly shift: { ms: number }
  readonly dialer: Dialer
}

export function createTestDialer(
  authority: TestAuthority,
  options: DialerOptions & { readonly svid?: X509Svid; readonly bundles?: BundleSource } = {},
): TestDialer {
  const shift = { ms: 0 }
  const svid = createWatch(options.svid ?? authority.issueSvid('/payments'))
  const bundles = createWatch<BundleSource>(options.bundles ?? authority.bundles)
  const clock = { now: () => systemClock.now() + shift.ms }
  const { svid: _, bundles: __, ...rest } = options
  return { svid, bundles, shift, dialer: createDialer({ svid, bundles, clock }, { alpn: ['http/1.1'], ...rest }) }
}

export interface Dialled {
  readonly socket: TLSSocket
  readonly refusal: PeerRefusal | undefined
  readonly resumed: boolean
}

/**
 * Dials, verifies and, when the peer is right, waits for its greeting; tickets have come then, unless they are too large
 * for Node to tell (`ticket: false`).
 */
export async function dial(
  dialer: Dialer,
  { address }: TestListener,
  { expected = serverId, ticket = true } = {},
): Promise<Dialled> {
  const socket = dialer.connect(address, expected)
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  const refusal = dialer.prepare(socket)
  const resumed = socket.isSessionReused()
  const got = once(socket, 'data')
  if (refusal) {
    got.catch(() => {})
    socket.destroy()
  } else await (resumed || !ticket ? got : Promise.all([got, once(socket, 'session')]))
  return { socket, refusal, resumed }
}
