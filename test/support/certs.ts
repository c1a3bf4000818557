import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { programPath } from './programs.ts'

/** PEM files of one workload, as `picket sidecar --svid F --key F --trust-bundle F` takes them. */
export interface WorkloadFiles {
  readonly id: string
  readonly svid: string
  readonly key: string
  readonly bundle: string
}

/** A throw-away P-256 authority that writes SVIDs with openssl: a second pair of eyes beside `@picket/ca`. */
export interface OpensslAuthority {
  readonly bundle: string
  issue(path: string): WorkloadFiles
}

export function createOpensslAuthority(folder: string, trustDomain: string): OpensslAuthority {
  mkdirSync(folder, { recursive: true })
  const at = (name: string): string => join(folder, name)
  const [key, bundle] = [at('authority.key'), at('trust-bundle.pem')]
  createKey(key)
  writeFileSync(
    at('authority.cnf'),
    configuration('Picket test authority', AUTHORITY_EXTENSIONS, `spiffe://${trustDomain}`),
  )
  openssl(['req', '-x509', '-new', '-key', key, '-days', '2', '-out', bundle, '-config', at('authority.cnf')])
  return {
    bundle,
    issue(path) {
      const id = `spiffe://${trustDomain}/${path}`
      const name = path.replaceAll('/', '-')
      const files = { id, svid: at(`${name}.pem`), key: at(`${name}.key`), bundle }
      createKey(files.key)
      writeFileSync(at(`${name}.cnf`), configuration('Picket test workload', WORKLOAD_EXTENSIONS, id))
      openssl(['req', '-new', '-key', files.key, '-out', at(`${name}.csr`), '-config', at(`${name}.cnf`)])
      const signing = ['x509', '-req', '-in', at(`${name}.csr`), '-CA', bundle, '-CAkey', key, '-out', files.svid]
      openssl([...signing, '-days', '1', '-extfile', at(`${name}.cnf`), '-extensions', 'extensions'])
      return files
    },
  }
}

const AUTHORITY_EXTENSIONS = `basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash`

const WORKLOAD_EXTENSIONS = `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid`

function configuration(name: string, extensions: string, uri: string): string {
  return `[req]
distinguished_name=name
x509_extensions=extensions
prompt=no
[name]
O=${name}
[extensions]
${extensions}
subjectAltName=URI:${uri}
`
}

function createKey(file: string): void {
  openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file])
}

function openssl(args: readonly string[]): void {
  execFileSync(programPath('openssl'), args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
