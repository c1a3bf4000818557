/**
 * What a policy says about one request. A denial is a value with a reason of its own for each way in which a policy can
 * fail to say yes; only an explicit `true` becomes an allow, and only an allow carries the permit that forwarding asks for.
 */
export type Decision = AllowDecision | DenyDecision

/** Proof of an allow. Made here and nowhere else; `forward` in the sidecar takes one. */
export interface Permit {
  readonly [permitted]: true
}
declare const permitted: unique symbol

/** What a policy asks for beside yes or no. None yet; the field is there so that records and callers know it. */
export type Obligations = Readonly<Record<string, unknown>>

export interface AllowDecision {
  readonly kind: 'allow'
  readonly reason: 'allowed'
  readonly detail: ''
  readonly status: 200
  /** Of the bundle that decided. */
  readonly revision: string
  readonly permit: Permit
  readonly obligations: Obligations | null
}

export interface DenyDecision {
  readonly kind: 'deny'
  readonly reason: DenyReason
  /** The policy's own explanation, or what went wrong; '' when there is none. For records, not for callers. */
  readonly detail: string
  /** The HTTP status to answer with. */
  readonly status: number
  /** '' when no bundle decided. */
  readonly revision: string
  readonly obligations: Obligations | null
}

export type DenyReason =
  /** The policy said false. */
  | 'policy_denied'
  /** The entrypoint has no value for this input. */
  | 'policy_undefined'
  /** Evaluation failed, or the engine was disposed of. */
  | 'policy_error'
  /** The entrypoint's value is no boolean. */
  | 'policy_wrong_type'
  | 'policy_multiple_results'
  /** No bundle has been activated yet. */
  | 'policy_missing'
  /** The request has no faithful form as policy input: a path or query that two readers could read differently. */
  | 'input_not_representable'

export type DecisionReason = 'allowed' | DenyReason

/** Refused on policy's word: 403. Refused because policy is broken or absent: 5xx. Refused for what was sent: 400. */
export const DENY_STATUS = {
  policy_denied: 403,
  policy_undefined: 403,
  policy_error: 500,
  policy_wrong_type: 500,
  policy_multiple_results: 500,
  policy_missing: 503,
  input_not_representable: 400,
} as const satisfies Record<DenyReason, number>

export const DECISION_REASONS = ['allowed', ...Object.keys(DENY_STATUS)] as readonly DecisionReason[]

/** One object per engine is enough: an allow holds nothing of the request. */
export function allow(revision: string): AllowDecision {
  const permit = Object.freeze({}) as Permit
  return Object.freeze({
    kind: 'allow',
    reason: 'allowed',
    detail: '',
    status: 200,
    revision,
    permit,
    obligations: null,
  })
}

export function deny(reason: DenyReason, revision: string, detail = ''): DenyDecision {
  return { kind: 'deny', reason, detail, status: DENY_STATUS[reason], revision, obligations: null }
}

const WITHOUT_POLICY = Object.freeze(deny('policy_missing', ''))

/** The decision on every request as long as no policy has been activated. */
export function denyWithoutPolicy(): Decision {
  return WITHOUT_POLICY
}
