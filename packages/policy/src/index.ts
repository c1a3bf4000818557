export { buildBundle, replaceBundleData, type BuildOptions } from './build.ts'
export { BUNDLE_LIMITS, loadPolicyBundle, type BundleLimits, type PolicyBundle } from './bundle.ts'
export { createPolicyConnection, type PolicyConnection } from './connection.ts'
export {
  DECISION_REASONS,
  DENY_STATUS,
  denyWithoutPolicy,
  type AllowDecision,
  type Decision,
  type DecisionReason,
  type DenyDecision,
  type DenyReason,
  type Obligations,
  type Permit,
} from './decision.ts'
export type { PolicyEngine } from './decider.ts'
export { createPolicyEngine, DECISION_ENTRYPOINT, EXPLANATION_ENTRYPOINT, type EngineOptions } from './engine.ts'
export { PolicyError, type PolicyErrorCode, type SourceLocation } from './error.ts'
export { toPolicyInput, type InputContext, type PolicyInput } from './input.ts'
export { DEFAULT_BASE_URL, installOpa, type InstallOptions } from './install.ts'
export type { BundleMetadata, Manifest } from './manifest.ts'
export type { Opa } from './opa.ts'
export type { InputReference } from './reference.ts'
export { digestSources, readSources, type PolicySources } from './sources.ts'
export { createPolicyStore, type PolicyStore } from './store.ts'
export { testPolicies, type PolicyTestResult } from './test-runner.ts'
export { findOpa, OPA_MISSING_HINT, OPA_VERSION, requireOpa, type ToolchainOptions } from './toolchain.ts'
