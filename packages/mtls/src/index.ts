export { createDialer, type Dialer, type DialerDeps } from './dialer.ts'
export { MtlsError, type MtlsErrorCode } from './error.ts'
export {
  createMtlsListener,
  type MtlsListener,
  type MtlsListenerDeps,
  type MtlsListenerEvents,
  type MtlsListenerOptions,
} from './listener.ts'
export { reverify, verifyChain, verifyPeer, type ExpectedPeer, type VerifiedPeer } from './peer.ts'
export { type HandshakeRefusalCode, type PeerRefusal, type PeerRefusalCode } from './refusal.ts'
export { toSecureContextOptions } from './secure-context.ts'
