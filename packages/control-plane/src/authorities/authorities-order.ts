import type { AuthorityKind } from '@picket/ca'
import { IdentityError, isJwtKeyAlgorithm, parseKeyAlgorithm, type KeyAlgorithm } from '@picket/identity'
import type { RotateAuthoritiesRequest } from '@picket/rpc'
import { ControlPlaneError } from '../error.ts'
import type { RotationOrder } from './rotation-intent.ts'

const KINDS: readonly AuthorityKind[] = ['x509', 'jwt']
const EMERGENCY_DEADLINE_MS = 30_000
const LONGEST_DEADLINE_SECONDS = 90 * 86_400

/** What an order leaves open. */
export interface RotationDefaults {
  /** 0 to 1. */
  readonly quorum: number
  readonly deadlineMs: number | undefined
}

/** An operator's words as an order. Throws `ERR_ROTATION_INVALID`. */
export function parseRotationOrder(request: RotateAuthoritiesRequest, defaults: RotationDefaults): RotationOrder {
  const { emergency, keepOld, quorumPercent, deadlineSeconds } = request
  const kinds = request.kinds.length === 0 ? KINDS : KINDS.filter((kind) => request.kinds.includes(kind))
  for (const kind of request.kinds) parseKind(kind)
  const algorithm = parseOptionalAlgorithm(request.algorithm)
  const svidAlgorithm = parseOptionalAlgorithm(request.svidAlgorithm) ?? algorithm
  if (algorithm !== undefined && !kinds.includes('x509')) throw invalid('an algorithm is that of the x509 authority')
  if (emergency && keepOld) throw invalid('in an emergency the old authority cannot be kept')
  if (!(quorumPercent >= 0 && quorumPercent <= 100)) throw invalid('a quorum is from 1 to 100 per cent')
  if (deadlineSeconds > LONGEST_DEADLINE_SECONDS) throw invalid('the deadline is more than 90 days away')
  const deadlineMs = emergency ? EMERGENCY_DEADLINE_MS : defaults.deadlineMs
  return {
    kinds,
    algorithm,
    svidAlgorithm,
    reason: emergency ? 'emergency' : 'ordered',
    retire: !keepOld,
    quorum: quorumPercent === 0 ? defaults.quorum : quorumPercent / 100,
    deadlineMs: deadlineSeconds === 0 ? deadlineMs : deadlineSeconds * 1000,
  }
}

/** Throws `ERR_ROTATION_INVALID`. */
export function parseKind(text: string): AuthorityKind {
  const kind = KINDS.find((known) => known === text)
  if (!kind) throw invalid(`an authority is of a kind of ${KINDS.join(', ')}`)
  return kind
}

/** Undefined = as it is. Throws `ERR_ROTATION_INVALID`. */
export function parseAlgorithmOf(kind: AuthorityKind, text: string): KeyAlgorithm | undefined {
  const algorithm = parseOptionalAlgorithm(text)
  if (kind === 'jwt' && algorithm !== undefined && !isJwtKeyAlgorithm(algorithm)) {
    throw invalid(`${algorithm} is no algorithm of tokens`)
  }
  return algorithm
}

function parseOptionalAlgorithm(text: string): KeyAlgorithm | undefined {
  try {
    return text === '' ? undefined : parseKeyAlgorithm(text)
  } catch (cause) {
    if (cause instanceof IdentityError) throw new ControlPlaneError('ERR_ROTATION_INVALID', cause.message, { cause })
    throw cause
  }
}

function invalid(problem: string): ControlPlaneError {
  return new ControlPlaneError('ERR_ROTATION_INVALID', problem)
}
