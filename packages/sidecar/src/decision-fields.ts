import type { Decision } from '@picket/policy'
import { decisionFields } from './access-record.ts'

/** The rendered decision of an access record. An allow is one object per policy revision: rendered once, found by identity. */
export interface DecisionFieldsCache {
  of(decision: Decision): Buffer
}

const MAX_DENIALS = 256

export function createDecisionFieldsCache(): DecisionFieldsCache {
  const denials = new Map<string, Buffer>()
  let last: Decision | undefined
  let lastFields: Buffer = Buffer.alloc(0)

  return {
    of(decision) {
      if (decision === last) return lastFields
      const { kind, reason, detail, revision } = decision
      const key = `${reason} ${revision} ${detail}`
      let fields = kind === 'deny' ? denials.get(key) : undefined
      fields ??= decisionFields(kind, reason, detail, revision)
      if (kind === 'deny') {
        if (denials.size >= MAX_DENIALS) denials.clear()
        denials.set(key, fields)
      }
      last = decision
      return (lastFields = fields)
    },
  }
}
