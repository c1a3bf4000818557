// Original file: proto/picket/v1/sync.proto

export const ResourceKind = {
  RESOURCE_KIND_UNSPECIFIED: 'RESOURCE_KIND_UNSPECIFIED',
  TRUST_BUNDLE: 'TRUST_BUNDLE',
  POLICY_BUNDLE: 'POLICY_BUNDLE',
  ENDPOINTS: 'ENDPOINTS',
  SERVICE_CONFIG: 'SERVICE_CONFIG',
  IDENTITIES: 'IDENTITIES',
  FEDERATED_BUNDLES: 'FEDERATED_BUNDLES',
  REVOCATIONS: 'REVOCATIONS',
} as const

export type ResourceKind =
  | 'RESOURCE_KIND_UNSPECIFIED'
  | 0
  | 'TRUST_BUNDLE'
  | 1
  | 'POLICY_BUNDLE'
  | 2
  | 'ENDPOINTS'
  | 3
  | 'SERVICE_CONFIG'
  | 4
  | 'IDENTITIES'
  | 5
  | 'FEDERATED_BUNDLES'
  | 6
  | 'REVOCATIONS'
  | 7

export type ResourceKind__Output = (typeof ResourceKind)[keyof typeof ResourceKind]
