import { readFile } from 'node:fs/promises'
import { parseCertificatesPem, parsePrivateKeyPem, type Certificate, type PrivateKey } from '@picket/identity'
import { messageOf } from '@picket/runtime'
import { isKeyOf } from './authority-files.ts'
import { CaError } from './error.ts'
import { findIssuingPath } from './issuing-path.ts'

/** Where an authority outside Picket is kept; read anew for each authority made, so that an operator can renew them. */
export interface UpstreamFiles {
  /** PEM: the certificate that issues ours first, then what leads from it to a root. */
  readonly certificateFile: string
  /** PEM, not encrypted: its key. */
  readonly keyFile: string
  /** PEM: the roots, which become the trust bundle. */
  readonly bundleFile: string
}

export interface Upstream {
  readonly certificate: Certificate
  readonly privateKey: PrivateKey
  /** The issuer and what lies between it and the roots; empty when the issuer is a root itself. */
  readonly chain: readonly Certificate[]
  readonly roots: readonly Certificate[]
  /** When the first of them ends. */
  readonly notAfter: Date
}

const MAX_FILE_BYTES = 1024 * 1024

/** Throws `ERR_UPSTREAM`, retryable: the files are an operator's to mend. */
export async function readUpstream(files: UpstreamFiles): Promise<Upstream> {
  const certificates = await readPem(files.certificateFile, parseCertificatesPem)
  const privateKey = await readPem(files.keyFile, parsePrivateKeyPem)
  const roots = await readPem(files.bundleFile, parseCertificatesPem)
  const certificate = certificates[0]!
  if (!isKeyOf(privateKey, certificate.publicKey)) {
    throw upstreamError(`the key in ${files.keyFile} is not that of ${files.certificateFile}`)
  }
  if (!certificate.isCa) throw upstreamError(`${files.certificateFile} does not begin with an authority`)
  const path = findIssuingPath(certificates, roots)
  if (!path) throw upstreamError(`${files.certificateFile} does not lead to a root in ${files.bundleFile}`)
  const notAfter = new Date(Math.min(...path.map((one) => one.notAfter.getTime())))
  return { certificate, privateKey, chain: path.slice(0, -1), roots, notAfter }
}

async function readPem<T>(path: string, parse: (pem: string) => T): Promise<T> {
  try {
    const bytes = await readFile(path)
    if (bytes.length > MAX_FILE_BYTES) throw new TypeError('it is too long')
    return parse(bytes.toString())
  } catch (cause) {
    throw upstreamError(`${path}: ${messageOf(cause)}`, cause)
  }
}

export function upstreamError(problem: string, cause?: unknown): CaError {
  return new CaError('ERR_UPSTREAM', `the upstream authority cannot be used: ${problem}`, { cause, retryable: true })
}
