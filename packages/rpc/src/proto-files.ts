import { join } from 'node:path'

/** The folder that the files' own import paths start from. */
export const PROTO_FOLDER = join(import.meta.dirname, '../../../proto')

export const PROTO_FILES = [
  'picket/v1/certificates.proto',
  'picket/v1/sync.proto',
  'picket/v1/admin.proto',
  'picket/v1/authorities.proto',
  'picket/v1/revocations.proto',
  'picket/v1/federation.proto',
] as const
