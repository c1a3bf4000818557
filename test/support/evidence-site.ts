import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTestControlPlane, type TestControlPlane } from '@picket/control-plane/testing'
import { encodeCertificatesPem } from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import type { Entry } from '@picket/rpc'
import { startTokenReviewServer, type TokenReviewServer } from './token-review.ts'

/** A control plane in this process that takes every kind of evidence, with those who vouch for it. */
export interface EvidenceSite extends AsyncDisposable {
  /** A place for files, gone with the site. */
  readonly folder: string
  readonly api: TokenReviewServer
  /** The PKI of the machines. */
  readonly machines: TestAuthority
  readonly plane: TestControlPlane
  createEntry(spiffeId: string, selectors: readonly string[], change?: object): Promise<Entry>
}

export async function startEvidenceSite(): Promise<EvidenceSite> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'picket-evidence-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const api = stack.use(await startTokenReviewServer(folder))
  const machines = createTestAuthority('corp.test')
  const x509PopCa = join(folder, 'machines.pem')
  await writeFile(x509PopCa, encodeCertificatesPem([machines.certificate]))
  const plane = stack.use(
    await startTestControlPlane({
      x509PopCa,
      kubernetesApi: new URL(api.url),
      kubernetesCa: api.caFile,
      kubernetesTokenFile: api.tokenFile,
      kubernetesCluster: 'east',
    }),
  )
  const owned = stack.move()
  const usual = { ttlSeconds: 0, dnsNames: [], service: '', hint: '', federatesWith: [] }
  return {
    folder,
    api,
    machines,
    plane,
    createEntry: (spiffeId, selectors, change = {}) =>
      plane.operator.admin.createEntry({ spiffeId, selectors, ...usual, ...change }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
