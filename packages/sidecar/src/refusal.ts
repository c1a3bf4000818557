import type { Exchange } from '@picket/http'

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

export interface OwnAnswer {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export function refuse(exchange: Exchange, cause: RefusalCause): void {
  const { headers, body } = errorAnswer(cause)
  exchange.respond(STATUS[cause], headers, body)
}

/** The answer for `cause`, which is one of ours or a flag of an exchange that failed. */
export function errorAnswer(cause: string): OwnAnswer {
  return { headers: [...JSON_HEADERS, ['x-picket-error', cause]], body: `{"error":"${cause}"}\n` }
}

/** The answer to a denied request; the caller learns the id under which the reason can be looked up. */
export function denialAnswer(decisionId: string): OwnAnswer {
  return {
    headers: [...JSON_HEADERS, ['x-picket-error', 'denied'], ['x-request-id', decisionId]],
    body: `{"error":"denied","decision_id":"${decisionId}"}\n`,
  }
}

const JSON_HEADERS = [
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
] as const satisfies OwnAnswer['headers']
