import type { Exchange } from '@picket/http'
import type { DenyDecision, DenyReason } from '@picket/policy'

/**
 * Answers that are the sidecar's own and not the app's: a short JSON body and the cause in `x-picket-error`, so that the
 * app, the peer and a person with curl can tell who is speaking. No policy detail goes to a caller: that is in the log.
 */
export type RefusalCause =
  /** Outbound: nobody of this name is known. */
  | 'no_such_service'
  /** Outbound: the service is known, none of its sidecars is. */
  | 'no_endpoint'

const STATUS = { no_such_service: 404, no_endpoint: 503 } as const satisfies Record<RefusalCause, number>

/** What a caller may know of a denial. The reason in full stands in the access record, under the decision ID. */
const DENIAL = {
  policy_denied: 'denied',
  policy_undefined: 'denied',
  policy_error: 'policy_failed',
  policy_wrong_type: 'policy_failed',
  policy_multiple_results: 'policy_failed',
  policy_missing: 'policy_unavailable',
  input_not_representable: 'ambiguous_request',
} as const satisfies Record<DenyReason, string>

export interface OwnAnswer {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export function refuse(exchange: Exchange, cause: RefusalCause): void {
  const { headers, body } = errorAnswer(cause)
  exchange.respond(STATUS[cause], headers, body)
}

/** Answers a denied request; the caller learns the ID under which the reason can be looked up. */
export function deny(exchange: Exchange, { reason, status }: DenyDecision, decisionId: string): void {
  const { headers, body } = errorAnswer(DENIAL[reason], decisionId)
  exchange.respond(status, headers, body)
}

/** The answer for `cause`, which is one of ours or a flag of an exchange that failed. */
export function errorAnswer(cause: string, decisionId?: string): OwnAnswer {
  const headers = [...JSON_HEADERS, ['x-picket-error', cause]] as const
  if (decisionId === undefined) return { headers, body: `{"error":"${cause}"}\n` }
  return {
    headers: [...headers, ['x-request-id', decisionId]],
    body: `{"error":"${cause}","decision_id":"${decisionId}"}\n`,
  }
}

const JSON_HEADERS = [
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
] as const satisfies OwnAnswer['headers']
