import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createBundleSource,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseTrustBundlePem,
  parseTrustDomain,
  parseX509Svid,
} from '@picket/identity'
import { connectControlPlane } from '@picket/rpc'
import { createWatch, silentLogger, systemClock } from '@picket/runtime'
import type { Mesh } from './mesh.ts'

/** Changes whom a service of a running mesh federates with, as its operator. */
export async function setFederatesWith(mesh: Mesh, service: string, federatesWith: readonly string[]): Promise<void> {
  const trustDomain = parseTrustDomain(mesh.trustDomain)
  const file = (name: string): Promise<string> =>
    readFile(join(mesh.directory, 'control-plane', 'operator', name), 'utf8')
  const svid = parseX509Svid(parseCertificatesPem(await file('svid.pem')), parsePrivateKeyPem(await file('key.pem')))
  const bundle = parseTrustBundlePem(await file('bundle.pem'), trustDomain)
  const bundles = createWatch(createBundleSource([bundle]))
  await using client = connectControlPlane(
    { bundles, svid: createWatch(svid), clock: systemClock, logger: silentLogger },
    { address: mesh.controlPlaneAddress, trustDomain },
  )
  const { entries } = await client.admin.listEntries({ pageSize: 0, pageToken: '' })
  const entry = entries.find(({ spiffeId }) => spiffeId === `${trustDomain.id}/${service}`)
  if (!entry) throw new Error(`there is no entry of ${service} in ${mesh.trustDomain}`)
  const { id, createdAtMs: _created, updatedAtMs: _updated, ...draft } = entry
  const changes = [{ kind: 'update' as const, id, draft: { ...draft, federatesWith } }]
  await client.admin.applyEntries({ expectedRevision: 0, changes })
}
