import { parseRevocationSubject, type RevocationSubject } from '@picket/identity'
import { listOf, readPayload, textOf, writePayload } from './payload-json.ts'

/** The deny-list as it is pushed, and the same as a CRL for workloads. */
export interface Revocations {
  readonly subjects: readonly RevocationSubject[]
  /** DER; undefined while there is none. */
  readonly crl: Buffer | undefined
}

/** On one list. Whoever has more to revoke revokes an authority. */
export const MOST_REVOCATIONS = 100_000
const MOST_CRL_CHARACTERS = 16 * 1024 * 1024

export function encodeRevocations({ subjects, crl }: Revocations): Buffer {
  const records = subjects.map(({ kind, value }) => JSON.stringify({ kind, value })).sort()
  return writePayload('subjects', records, `"crl":${JSON.stringify(crl?.toString('base64') ?? '')}`)
}

/** Throws `ERR_RPC_INVALID`: a list of which a part cannot be read is not enforced in part. */
export function parseRevocations(bytes: Uint8Array): Revocations {
  return readPayload(bytes, 'revocations', (root) => ({
    subjects: listOf(root, 'subjects', MOST_REVOCATIONS).map((subject) =>
      parseRevocationSubject(textOf(subject, 'kind'), textOf(subject, 'value')),
    ),
    crl: readCrl(textOf(root, 'crl', MOST_CRL_CHARACTERS)),
  }))
}

function readCrl(base64: string): Buffer | undefined {
  if (base64 === '') return undefined
  const der = Buffer.from(base64, 'base64')
  if (der.toString('base64') !== base64) throw new TypeError('"crl" is not base64')
  return der
}
