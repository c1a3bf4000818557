export type {
  Authority,
  AuthorityDeps,
  AuthorityRecord,
  InitAuthorityOptions,
  IssuedJwt,
  IssueJwtRequest,
  IssueSvidRequest,
  OpenAuthorityOptions,
} from './authority.ts'
export type { AuthorityKind, AuthoritySlot, AuthorityState, RotationIntent } from './authority-slots.ts'
export { CaError, type CaErrorCode } from './error.ts'
export { initAuthority, openAuthority } from './open-authority.ts'
export {
  DEFAULT_AUTHORITY_TTL_MS,
  DEFAULT_JWT_SVID_TTL_MS,
  DEFAULT_SVID_TTL_MS,
  MAX_JWT_SVID_TTL_MS,
} from './profile.ts'
export type { UpstreamFiles } from './upstream.ts'
