import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { encodeCertificatesPem, encodePrivateKeyPem, type X509Svid } from '@picket/identity'
import {
  createWatch,
  messageOf,
  sleepUnlessAborted,
  type Clock,
  type Logger,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'

/**
 * The TLS side of the bundle endpoint. Mozilla's "intermediate" profile, as the federation standard asks (section 5):
 * TLS 1.3, and 1.2 with forward-secret AEAD suites for clients that have nothing newer.
 */
const INTERMEDIATE = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  ecdhCurve: 'X25519MLKEM768:X25519:prime256v1:secp384r1',
  ca: [],
} satisfies SecureContextOptions

const LOOK_AGAIN_MS = 30_000

/** What an SVID is to TLS. */
export function toEndpointContext({ chain, privateKey }: X509Svid): SecureContextOptions {
  return { ...INTERMEDIATE, cert: encodeCertificatesPem(chain), key: encodePrivateKeyPem(privateKey) }
}

interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

interface FollowDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly tasks: Tasks
}

/**
 * `https_web`: certificate and key from files, which whoever renews them replaces in place. They are looked at every half
 * minute; what does not read or does not fit together leaves the old pair in use. Throws `ERR_BUNDLE_ENDPOINT` when there
 * is no usable pair to begin with.
 */
export async function followFiles(
  { clock, logger, tasks }: FollowDeps,
  files: CertificateFiles,
): Promise<Watch<SecureContextOptions>> {
  const context = createWatch(await readContext(files))
  tasks.start('bundle endpoint certificate', async (signal) => {
    let complaint = ''
    while (await sleepUnlessAborted(clock, LOOK_AGAIN_MS, signal)) {
      try {
        const read = await readContext(files)
        complaint = ''
        if (read.cert === context.value.cert && read.key === context.value.key) continue
        context.set(read)
        logger.info('bundle endpoint certificate replaced', { file: files.certificate })
      } catch (thrown) {
        if (complaint === messageOf(thrown)) continue
        complaint = messageOf(thrown)
        logger.error('bundle endpoint keeps its old certificate', { error: complaint })
      }
    }
  })
  return context
}

async function readContext({ certificate, key }: CertificateFiles): Promise<SecureContextOptions> {
  try {
    const read = { ...INTERMEDIATE, cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') }
    createSecureContext(read)
    return read
  } catch (cause) {
    const message = `the bundle endpoint cannot use ${certificate} with ${key}: ${messageOf(cause)}`
    throw new ControlPlaneError('ERR_BUNDLE_ENDPOINT', message, { cause })
  }
}
