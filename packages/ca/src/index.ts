export {
  initAuthority,
  openAuthority,
  type Authority,
  type AuthorityDeps,
  type InitAuthorityOptions,
  type IssueSvidRequest,
} from './authority.ts'
export { CaError, type CaErrorCode } from './error.ts'
export { DEFAULT_AUTHORITY_TTL_MS, DEFAULT_SVID_TTL_MS } from './profile.ts'
