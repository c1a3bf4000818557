import { isIP } from 'node:net'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { BundleSource, SpiffeId } from '@picket/identity'
import { verifyPeer } from '@picket/mtls'
import { codeOf, messageOf } from '@picket/runtime'
import { failFetch, type FetchFailure, type FetchFailureCode } from './federation-failure.ts'

/*
 * A TLS connection to somebody else's bundle endpoint, of which nothing is said before it has proved itself (rule 73):
 *
 * - https_web: by a certificate that an authority of the public web, or one of our own choice, has given to the URL's
 *   host name. That is what OpenSSL and Node check for any web site, so they do it here.
 * - https_spiffe: by an SVID of exactly the configured SPIFFE ID, under the newest bundle of that ID's trust domain. TLS
 *   libraries cannot check that, so their verdict plays no part and `verifyPeer` decides, before a byte is written.
 */
export type EndpointProof =
  | { readonly kind: 'https_web'; readonly authorities: readonly string[] }
  | { readonly kind: 'https_spiffe'; readonly endpointId: SpiffeId; readonly bundles: BundleSource; readonly now: Date }

export type Connected = { readonly kind: 'connected'; readonly socket: TLSSocket }

/** Ends with `unreachable` when `signal` aborts first; the caller knows why it did. */
export async function connectEndpoint(
  url: URL,
  proof: EndpointProof,
  signal: AbortSignal,
): Promise<Connected | FetchFailure> {
  const socket = connect({ ...targetOf(url), ...optionsOf(proof), ALPNProtocols: ['http/1.1'] })
  const broken = await untilSecure(socket, signal)
  const failure = broken ?? refusalOf(socket, proof)
  if (!failure) return { kind: 'connected', socket }
  socket.destroy()
  return failure
}

function targetOf({ hostname, port }: URL): ConnectionOptions {
  const host = hostname.replace(/^\[|\]$/g, '')
  return { host, port: port === '' ? 443 : Number(port), servername: isIP(host) ? '' : host }
}

function optionsOf(proof: EndpointProof): ConnectionOptions {
  if (proof.kind === 'https_web') return { minVersion: 'TLSv1.2', ca: [...proof.authorities] }
  return { minVersion: 'TLSv1.2', ca: [], rejectUnauthorized: false }
}

function untilSecure(socket: TLSSocket, signal: AbortSignal): Promise<FetchFailure | undefined> {
  return new Promise((resolve) => {
    const onAbort = (): void => void socket.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('secureConnect', () => resolve(undefined))
    socket.on('error', (error) => resolve(toFailure(error))) // stays, so that later errors end nothing but the socket
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(failFetch('unreachable', 'the connection ended'))
    })
    if (signal.aborted) onAbort()
  })
}

function refusalOf(socket: TLSSocket, proof: EndpointProof): FetchFailure | undefined {
  if (proof.kind === 'https_web') {
    return socket.authorized ? undefined : failFetch('wrong-endpoint', 'its certificate was not verified')
  }
  const peer = verifyPeer(socket, proof.bundles, proof.now, proof.endpointId)
  return peer.kind === 'verified' ? undefined : failFetch('wrong-endpoint', `${peer.code}: ${peer.message}`)
}

/** Errors of sockets in our terms: the network's, of TLS itself, or about the certificate. */
export function toFailure(error: unknown): FetchFailure {
  return failFetch(failureCodeOf(codeOf(error) ?? ''), messageOf(error) || (codeOf(error) ?? 'the connection failed'))
}

function failureCodeOf(code: string): FetchFailureCode {
  if (/^(ERR_SSL|EPROTO)/.test(code)) return 'tls'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || /CERT|SIGN|ISSUER|CRL|CHAIN|PURPOSE|TRUST|HOSTNAME/.test(code)) {
    return 'wrong-endpoint'
  }
  return code.startsWith('HPE_') ? 'malformed' : 'unreachable'
}
