import { readFile } from 'node:fs/promises'
import type { UpstreamFiles } from '@picket/ca'
import { parseCertificatesPem } from '@picket/identity'
import { RuntimeError } from '@picket/runtime'
import type { ControlPlaneSettings } from '../settings.ts'

/** The three files that belong together, or none. Throws `ERR_SETTINGS`. */
export function toUpstreamFiles(
  settings: Pick<ControlPlaneSettings, 'upstreamCertificate' | 'upstreamKey' | 'upstreamBundle'>,
): UpstreamFiles | undefined {
  const { upstreamCertificate: certificateFile, upstreamKey: keyFile, upstreamBundle: bundleFile } = settings
  if (certificateFile !== undefined && keyFile !== undefined && bundleFile !== undefined) {
    return { certificateFile, keyFile, bundleFile }
  }
  if (certificateFile === undefined && keyFile === undefined && bundleFile === undefined) return undefined
  const problem = 'upstreamCertificate, upstreamKey and upstreamBundle belong together: give all three or none'
  throw new RuntimeError('ERR_SETTINGS', problem)
}

/** When the first of the upstream's certificates ends, as the file is now. */
export async function upstreamEndsAtMs({ certificateFile }: UpstreamFiles): Promise<number> {
  const certificates = parseCertificatesPem(await readFile(certificateFile, 'utf8'))
  return Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))
}
