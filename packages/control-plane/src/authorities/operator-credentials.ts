import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeCertificatesPem, encodePrivateKeyPem, type TrustBundle, type X509Svid } from '@picket/identity'
import { formatHostPort, messageOf, writeFileAtomic, type HostPort, type Logger, type Watch } from '@picket/runtime'
import { keepBundleFile } from './trust-bundles.ts'

/**
 * What the command line needs to speak to this control plane, as files that only the same user can read: whoever may
 * read the control plane's folder is its operator. Key and certificate are in step because the key is written first and
 * a reader that finds them apart reads again.
 */
export interface OperatorCredentials extends AsyncDisposable {
  /** Where the control plane listens, as really bound. */
  setAddress(address: HostPort): Promise<void>
}

export async function writeOperatorCredentials(
  directory: string,
  bundle: Watch<TrustBundle>,
  svid: Watch<X509Svid>,
  logger: Logger,
): Promise<OperatorCredentials> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const write = (name: string, text: string): Promise<void> => writeFileAtomic(join(directory, name), text, 0o600)

  async function writeAll({ chain, privateKey }: X509Svid): Promise<void> {
    await write('key.pem', encodePrivateKeyPem(privateKey))
    await write('svid.pem', encodeCertificatesPem(chain))
  }

  await writeAll(svid.value)
  const bundleFile = await keepBundleFile(join(directory, 'bundle.pem'), bundle, logger, 0o600)
  let writing = Promise.resolve()
  const subscription = svid.subscribe((next) => {
    writing = writing
      .then(() => writeAll(next))
      .catch((thrown: unknown) => logger.error('operator credentials are not written', { error: messageOf(thrown) }))
  })
  return {
    setAddress: (address) => write('address', `${formatHostPort(address)}\n`),
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]()
      await writing
      await bundleFile[Symbol.asyncDispose]()
    },
  }
}
