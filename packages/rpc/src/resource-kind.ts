import type {
  ResourceKind as WireKind,
  ResourceKind__Output as WireKindRead,
} from './generated/picket/v1/ResourceKind.ts'
import { RESOURCE_KINDS, type ResourceKindName } from './messages.ts'

const WIRE_KIND = {
  'trust-bundle': 'TRUST_BUNDLE',
  'policy-bundle': 'POLICY_BUNDLE',
  endpoints: 'ENDPOINTS',
  'service-config': 'SERVICE_CONFIG',
  identities: 'IDENTITIES',
  'federated-bundles': 'FEDERATED_BUNDLES',
  revocations: 'REVOCATIONS',
} as const satisfies Record<ResourceKindName, WireKind>

export function encodeKind(kind: ResourceKindName): WireKind {
  return WIRE_KIND[kind]
}

/** Undefined for a kind that only a newer version knows. */
export function decodeKind(wire: WireKindRead): ResourceKindName | undefined {
  return RESOURCE_KINDS.find((kind) => WIRE_KIND[kind] === wire)
}

export function isResourceKind(text: string): text is ResourceKindName {
  return (RESOURCE_KINDS as readonly string[]).includes(text)
}
