import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem } from '@picket/identity'
import { createTestAuthority, type TestSvidOptions } from '@picket/identity/testing'

/** PEM files of one workload, as `picket sidecar --svid F --key F --trust-bundle F`, nginx, curl and openssl take them. */
export interface WorkloadFiles {
  readonly id: string
  readonly svid: string
  readonly key: string
  readonly bundle: string
}

/** A throw-away authority that writes what it issues into a folder. */
export interface FileAuthority {
  readonly bundle: string
  issue(service: string, options?: TestSvidOptions): WorkloadFiles
}

export function createFileAuthority(folder: string, trustDomain: string): FileAuthority {
  const authority = createTestAuthority(trustDomain)
  mkdirSync(folder, { recursive: true })
  const bundle = join(folder, 'bundle.pem')
  writeFileSync(bundle, encodeTrustBundlePem(authority.bundle))
  return {
    bundle,
    issue(service, options) {
      const { id, chain, privateKey } = authority.issueSvid(`/${service}`, options)
      const files = { id: id.uri, svid: join(folder, `${service}.pem`), key: join(folder, `${service}.key`), bundle }
      writeFileSync(files.svid, encodeCertificatesPem(chain))
      writeFileSync(files.key, encodePrivateKeyPem(privateKey), { mode: 0o600 })
      return files
    },
  }
}
