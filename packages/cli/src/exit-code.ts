import type { AgentErrorCode } from '@picket/agent'
import type { CaErrorCode } from '@picket/ca'
import type { ControlPlaneErrorCode } from '@picket/control-plane'
import type { IdentityErrorCode } from '@picket/identity'
import type { MtlsErrorCode } from '@picket/mtls'
import type { PolicyErrorCode } from '@picket/policy'
import type { RpcErrorCode } from '@picket/rpc'
import { codeOf, type RuntimeErrorCode } from '@picket/runtime'
import type { SidecarErrorCode } from '@picket/sidecar'
import type { CliErrorCode } from './error.ts'

/**
 * 0 = done, 1 = it failed or found something, 2 = the command or its settings were wrong and nothing was tried. 127 is
 * `run`'s, for an app that does not exist, as shells have it.
 */
export type ExitCode = 0 | 1 | 2 | 127

const failed = 1
const wrongUsage = 2

/** Every code that can reach the user. A package that adds one does not compile here until somebody has decided. */
const EXIT_CODES = {
  ERR_USAGE: wrongUsage,
  ERR_CONFIG_FILE: wrongUsage,
  ERR_CONTROL_PLANE_DOWN: failed,
  ERR_OPERATOR_IDENTITY: failed,
  ERR_NO_AUTHORITY: failed,
  ERR_COMMAND_NOT_FOUND: 127,
  ERR_SIDECAR_STOPPED: failed,
  ERR_INPUT: failed,

  ERR_SETTINGS: wrongUsage,
  ERR_DURATION: wrongUsage,
  ERR_ADDRESS: wrongUsage,
  ERR_SEAL_KEY: wrongUsage,
  ERR_SEALED_FILE: failed,
  ERR_PORT_IN_USE: failed,

  ERR_TRUST_DOMAIN: wrongUsage,
  ERR_SPIFFE_ID: wrongUsage,
  ERR_DER: failed,
  ERR_PEM: failed,
  ERR_KEY: failed,
  ERR_UNSUPPORTED_ALGORITHM: failed,
  ERR_CERTIFICATE: failed,
  ERR_CSR: failed,
  ERR_CSR_PROOF: failed,
  ERR_SVID: failed,
  ERR_TRUST_BUNDLE: failed,
  ERR_JSON: failed,
  ERR_JWT_SVID: failed,
  ERR_REVOCATION: wrongUsage,
  ERR_CRL: failed,

  ERR_AUTHORITY_EXISTS: failed,
  ERR_AUTHORITY_MISSING: failed,
  ERR_AUTHORITY_FILES: failed,
  ERR_AUTHORITY_EXPIRED: failed,
  ERR_AUTHORITY_STATE: failed,
  ERR_AUTHORITY_IN_USE: failed,
  ERR_UPSTREAM: failed,
  ERR_ISSUE_REQUEST: failed,
  ERR_LINT: failed,
  ERR_JOURNAL: failed,

  ERR_BUNDLE_TOO_LARGE: failed,
  ERR_BUNDLE_FORMAT: failed,
  ERR_BUNDLE_TRUNCATED: failed,
  ERR_BUNDLE_ENTRY: failed,
  ERR_BUNDLE_MANIFEST: failed,
  ERR_BUNDLE_DATA: failed,
  ERR_BUNDLE_WASM: failed,
  ERR_POLICY_ENTRYPOINT: failed,
  ERR_POLICY_BUILTIN: failed,
  ERR_POLICY_SMOKE: failed,
  ERR_POLICY_INPUT: failed,
  ERR_POLICY_EVALUATION: failed,
  ERR_POLICY_DISPOSED: failed,
  ERR_POLICY_COMPILE: failed,
  ERR_OPA_MISSING: failed,
  ERR_OPA_VERSION: failed,
  ERR_OPA_FAILED: failed,
  ERR_OPA_DOWNLOAD: failed,
  ERR_OPA_CHECKSUM: failed,
  ERR_OPA_PLATFORM: failed,

  ERR_RPC_CANCELLED: failed,
  ERR_RPC_INVALID: failed,
  ERR_RPC_DEADLINE: failed,
  ERR_RPC_NOT_FOUND: failed,
  ERR_RPC_CONFLICT: failed,
  ERR_RPC_PRECONDITION: failed,
  ERR_RPC_DENIED: failed,
  ERR_RPC_EXHAUSTED: failed,
  ERR_RPC_UNIMPLEMENTED: failed,
  ERR_RPC_INTERNAL: failed,
  ERR_RPC_UNAVAILABLE: failed,
  ERR_RPC_UNAUTHENTICATED: failed,
  ERR_RPC_WRONG_SERVER: failed,

  ERR_DATABASE_CORRUPT: failed,
  ERR_DATABASE_BUSY: failed,
  ERR_DATABASE_MIGRATION: failed,
  ERR_DATABASE_WRITE: failed,
  ERR_SEAL_KEY_MISSING: failed,
  ERR_ENTRY_INVALID: failed,
  ERR_ENTRY_DUPLICATE: failed,
  ERR_ENTRY_MISSING: failed,
  ERR_ENTRIES_CHANGED: failed,
  ERR_SERVICE_TAKEN: failed,
  ERR_ATTESTOR: wrongUsage,
  ERR_PAGE: failed,
  ERR_TOKEN_INVALID: failed,
  ERR_POLICY_CONFLICT: failed,
  ERR_RELATIONSHIP_INVALID: failed,
  ERR_RELATIONSHIP_MISSING: failed,
  ERR_BUNDLE_ENDPOINT: wrongUsage,
  ERR_REVOCATION_INVALID: failed,
  ERR_REVOCATION_REFUSED: failed,
  ERR_REVOCATION_MISSING: failed,
  ERR_ROTATION_INVALID: failed,
  ERR_ROTATION_UNDER_WAY: failed,
  ERR_ROTATION_LAGGARDS: failed,
  ERR_ADVERTISE: failed,

  ERR_SIDECAR_CONFIG: wrongUsage,
  ERR_LISTEN: failed,
  ERR_KEY_EXCHANGE: wrongUsage,
  ERR_NO_JOIN_TOKEN: failed,
  ERR_JOIN_TOKEN_FILE: failed,
  ERR_EVIDENCE_FILE: failed,
  ERR_ATTESTATION_REFUSED: failed,
  ERR_SVID_MISMATCH: failed,
  ERR_TRUST_BUNDLE_FILE: failed,
  ERR_TRUST_BUNDLE_EMPTY: failed,
  ERR_TRUST_BUNDLE_ROLLBACK: failed,
  ERR_FEDERATED_BUNDLES: failed,
  ERR_SEAL_KEY_FILE: failed,
  ERR_LAST_GOOD: failed,
  ERR_STATE_DIR_IN_USE: failed,
  ERR_INPUT_FILE: failed,
  ERR_PEER_CREDENTIALS: failed,
} as const satisfies Record<
  | CliErrorCode
  | RuntimeErrorCode
  | IdentityErrorCode
  | CaErrorCode
  | MtlsErrorCode
  | PolicyErrorCode
  | RpcErrorCode
  | ControlPlaneErrorCode
  | AgentErrorCode
  | SidecarErrorCode,
  ExitCode
>

/** What the process ends with when this was thrown; whatever is not ours is a failure. */
export function exitCodeOf(thrown: unknown): ExitCode {
  const code = codeOf(thrown)
  return code !== undefined && Object.hasOwn(EXIT_CODES, code) ? EXIT_CODES[code as keyof typeof EXIT_CODES] : failed
}
