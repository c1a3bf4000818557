import { fileURLToPath } from 'node:url'
import { startMesh, type Mesh, type MeshOptions } from '../mesh/mesh.ts'
import { bankServices } from './bank.ts'

/** The bundle of the shipped policies, compiled: it needs no OPA. */
export const bankPolicy = fileURLToPath(new URL('../../../../policies/authz.bundle.tar.gz', import.meta.url))

const serviceMain = fileURLToPath(new URL('./service.ts', import.meta.url))

/** The bank's five services, and a support portal that only ever calls. */
export function startBankMesh(options: Partial<MeshOptions> = {}): Promise<Mesh> {
  const services = Object.fromEntries(
    bankServices.map((name) => [name, { command: [process.execPath, serviceMain, name] }]),
  )
  return startMesh({
    policy: bankPolicy,
    services: { ...services, 'support-portal': { callerOnly: true } },
    ...options,
  })
}
