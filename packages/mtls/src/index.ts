export { createDialer, negotiatedGroup, type Dialer, type DialerDeps, type DialerOptions } from './dialer.ts'
export {
  DEFAULT_KEY_EXCHANGE,
  isHybridGroup,
  KEY_EXCHANGE_PROFILES,
  parseKeyExchangeProfile,
  type KeyExchangeProfile,
} from './key-exchange.ts'
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
