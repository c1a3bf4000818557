import type { TLSSocket } from 'node:tls'
import {
  MAX_CHAIN_CERTIFICATES,
  parseCertificate,
  verifyX509Svid,
  type BundleSource,
  type Certificate,
  type SpiffeId,
} from '@picket/identity'
import { messageOf } from '@picket/runtime'
import { refusePeer, type PeerRefusal } from './refusal.ts'

/*
 * The one place where a TLS peer becomes somebody. OpenSSL only proves that the peer holds the private key of the leaf it
 * showed; who that is, is decided here, from the raw DER chain, by the SPIFFE rules and the bundle of the peer's own
 * trust domain, on every connection:
 *
 * - A resumed handshake shows no certificate on the wire and OpenSSL repeats its old verdict, also when the SVID has
 *   expired or its authority has left the bundle since. So nothing from that verdict is used, and resumed connections
 *   are verified again at today's time against today's bundles.
 * - One CA list per context would pool all trust domains: an authority of domain A could vouch for an ID of domain B. So
 *   contexts hold no CA list at all (secure-context.ts) and `authorized` is never true and never read.
 * - Node hands out a chain once and then empties it; it is kept beside the socket, so that a live connection can be
 *   verified again after a bundle change.
 */

declare const verified: unique symbol

/** Evidence that a peer was verified; only this module can make one. */
export interface VerifiedPeer {
  readonly [verified]: true
  readonly kind: 'verified'
  readonly id: SpiffeId
  readonly leaf: Certificate
  /** As verified, leaf first. */
  readonly chain: readonly Certificate[]
  /** When the first certificate of its path expires: the connection must not outlive it. */
  readonly notAfter: Date
  readonly resumed: boolean
}

/** Whom a peer must be: one SPIFFE ID, or any that the predicate accepts. */
export type ExpectedPeer = SpiffeId | ((id: SpiffeId) => boolean)

/**
 * Verifies the other end of a TLS connection whose handshake is complete. A resumed connection shows at most the leaf, so
 * one whose issuer is an intermediate is refused here; listener and dialer, which remember chains, use `verifyChain`.
 */
export function verifyPeer(
  socket: TLSSocket,
  bundles: BundleSource,
  now: Date,
  expected?: ExpectedPeer,
): VerifiedPeer | PeerRefusal {
  return verifyChain(presentedChain(socket), bundles, now, expected, socket.isSessionReused())
}

/** The same for a chain of DER certificates, leaf first, whose leaf key TLS has proven to be the peer's. */
export function verifyChain(
  chain: readonly Uint8Array[],
  bundles: BundleSource,
  now: Date,
  expected?: ExpectedPeer,
  resumed = false,
): VerifiedPeer | PeerRefusal {
  if (chain.length === 0) return refusePeer('no-certificate', 'the peer showed no certificate')
  const certificates = parseChain(chain)
  if (!Array.isArray(certificates)) return certificates
  return verifyCertificates(certificates, bundles, now, expected, resumed)
}

/** Verifies the peer of a live connection again: the bundles or the time have changed since. */
export function reverify(peer: VerifiedPeer, bundles: BundleSource, now: Date): VerifiedPeer | PeerRefusal {
  return verifyCertificates(peer.chain, bundles, now, peer.id, peer.resumed)
}

function verifyCertificates(
  chain: readonly Certificate[],
  bundles: BundleSource,
  now: Date,
  expected: ExpectedPeer | undefined,
  resumed: boolean,
): VerifiedPeer | PeerRefusal {
  const verdict = verifyX509Svid(chain, bundles, now)
  if (verdict.kind === 'refused') return refusePeer(verdict.code, verdict.message, verdict.rule)
  const { id, leaf, notAfter } = verdict
  if (!isExpected(id, expected)) return refusePeer('wrong-id', `the peer is ${id.uri}`)
  return { kind: 'verified', id, leaf, chain, notAfter, resumed } as VerifiedPeer
}

const chains = new WeakMap<TLSSocket, readonly Buffer[]>()

/** What the peer sent in this handshake, leaf first: [] without a certificate, the leaf alone when resumed on a server. */
export function presentedChain(socket: TLSSocket): readonly Buffer[] {
  const known = chains.get(socket)
  if (known) return known
  const chain: Buffer[] = []
  let certificate = socket.getPeerX509Certificate()
  while (certificate && chain.length <= MAX_CHAIN_CERTIFICATES) {
    chain.push(certificate.raw)
    certificate = certificate.issuerCertificate
  }
  chains.set(socket, chain)
  return chain
}

function parseChain(chain: readonly Uint8Array[]): Certificate[] | PeerRefusal {
  try {
    return chain.map((der) => parseCertificate(der))
  } catch (thrown) {
    return refusePeer('malformed-certificate', messageOf(thrown))
  }
}

function isExpected(id: SpiffeId, expected: ExpectedPeer | undefined): boolean {
  if (expected === undefined) return true
  return typeof expected === 'function' ? expected(id) : expected.uri === id.uri
}
