import { bankPolicy, replacePolicyData, startMesh, type Mesh } from './mesh.ts'

/** The smallest mesh with a call in it: `gateway` may GET `/here` of `files`. For tests about identity, not about services. */
export async function startFilesMesh(controlPlaneFlags: readonly string[] = []): Promise<Mesh> {
  const mesh = await startMesh({
    policy: bankPolicy,
    services: {
      gateway: { callerOnly: true },
      files: { handler: (_request, response) => void response.end('here') },
    },
    controlPlaneFlags,
  })
  const policy = await replacePolicyData(mesh.directory, 'files', (data) => ({
    ...data,
    routes: { files: [{ method: 'GET', path: '/here', roles: ['front-office'] }] },
  }))
  await mesh.pushPolicy(policy)
  return mesh
}
