import { parseRequestHead, type RequestHead } from '@picket/http'
import { parseSpiffeId } from '@picket/identity'
import { messageOf } from '@picket/runtime'
import type { PolicyConnection } from './connection.ts'
import type { Decision } from './decision.ts'
import { PolicyError } from './error.ts'
import { toPolicyInput, type InputContext } from './input.ts'

/**
 * The last check before a revision may decide: on a handful of made-up requests the rule must give true or false, and
 * the projected input must lead to the same answer as the whole document. Catches a policy without a default, one that
 * fails on what is absent, and a manifest that understates what the policy reads.
 */
interface Candidate {
  evaluate(entrypoint: string, input: unknown): unknown
  connect(context: InputContext): PolicyConnection
  decide(connection: PolicyConnection, head: RequestHead): Decision
}

const SERVICE = parseSpiffeId('spiffe://bank.test/accounts')

const CALLERS = [
  undefined,
  parseSpiffeId('spiffe://bank.test'),
  parseSpiffeId('spiffe://bank.test/gateway'),
  parseSpiffeId('spiffe://other.test/ns/default/sa/gateway'),
]

const HEADS = [
  'GET / HTTP/1.1\r\nhost: a\r\n\r\n',
  'GET /health HTTP/1.0\r\n\r\n',
  'GET /accounts/42 HTTP/1.1\r\nhost: a\r\naccept: */*\r\n\r\n',
  'POST /a/b?c=d&c=%22 HTTP/1.1\r\nhost: a:80\r\ncontent-type: application/json\r\nx: "1"\r\nx: 2\r\ncontent-length: 2\r\n\r\n',
]

/** Throws `ERR_POLICY_SMOKE` with the request that showed the fault. */
export function smokeTest(candidate: Candidate, entrypoint: string): void {
  for (const caller of CALLERS) {
    const context = sampleContext(caller)
    const connection = candidate.connect(context)
    for (const text of HEADS) {
      const head = parseSample(text)
      const on = `${head.method} ${head.target} from ${caller?.uri ?? 'a caller without identity'}`
      const value = evaluate(candidate, entrypoint, toPolicyInput(context, head), on)
      if (value === undefined) throw fault(`${entrypoint} is undefined for ${on}: give it a default`)
      if (typeof value !== 'boolean') throw fault(`${entrypoint} is no boolean for ${on}`)
      if ((candidate.decide(connection, head).kind === 'allow') !== value) {
        throw fault(`the manifest does not name all the input that ${entrypoint} reads: ${on} comes out differently`)
      }
    }
  }
}

function sampleContext(caller: InputContext['caller']): InputContext {
  return {
    caller,
    service: 'accounts',
    serviceId: SERVICE,
    source: { host: '127.0.0.1', port: 50_000 },
    destination: { host: '127.0.0.1', port: 7443 },
    direction: 'inbound',
  }
}

function evaluate(candidate: Candidate, entrypoint: string, input: unknown, on: string): unknown {
  try {
    return candidate.evaluate(entrypoint, input)
  } catch (cause) {
    throw fault(`${entrypoint} fails for ${on}: ${messageOf(cause)}`, cause)
  }
}

function parseSample(text: string): RequestHead {
  const head = parseRequestHead(Buffer.from(text))
  if (!head || 'kind' in head) throw new TypeError(`not a request head: ${JSON.stringify(text)}`)
  return head
}

function fault(message: string, cause?: unknown): PolicyError {
  return new PolicyError('ERR_POLICY_SMOKE', message, { cause })
}
