import type { DatabaseSync } from 'node:sqlite'
import type { EndpointStore, KnownEndpoint } from '../sync/endpoints.ts'

export function createEndpointTable(database: DatabaseSync): EndpointStore {
  const save = database.prepare(`
    INSERT INTO endpoints (spiffe_id, instance_id, service, address, expires_at_ms) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
      service = excluded.service, address = excluded.address, expires_at_ms = excluded.expires_at_ms`)
  const remove = database.prepare('DELETE FROM endpoints WHERE spiffe_id = ? AND instance_id = ?')
  const all = database.prepare('SELECT spiffe_id, instance_id, service, address, expires_at_ms FROM endpoints')
  return {
    async saveEndpoint({ spiffeId, instanceId, service, address, expiresAtMs }) {
      save.run(spiffeId, instanceId, service, address, expiresAtMs)
    },
    async deleteEndpoint({ spiffeId, instanceId }) {
      remove.run(spiffeId, instanceId)
    },
    async loadEndpoints() {
      return all.all().map((row): KnownEndpoint => {
        return {
          spiffeId: row['spiffe_id'] as string,
          instanceId: row['instance_id'] as string,
          service: row['service'] as string,
          address: row['address'] as string,
          expiresAtMs: row['expires_at_ms'] as number,
        }
      })
    },
  }
}
