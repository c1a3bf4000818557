import type { DatabaseSync } from 'node:sqlite'
import type { RelationshipStore, StoredRelationship } from '../federation/federation-member.ts'

export function createFederationTable(database: DatabaseSync): RelationshipStore {
  const save = database.prepare(`
    INSERT INTO federation (trust_domain, url, profile, endpoint_id, bundle, fetched_at_ms, set_at_ms, set_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (trust_domain) DO UPDATE SET
      url = excluded.url, profile = excluded.profile, endpoint_id = excluded.endpoint_id, bundle = excluded.bundle,
      fetched_at_ms = excluded.fetched_at_ms, set_at_ms = excluded.set_at_ms, set_by = excluded.set_by`)
  const saveFetch = database.prepare(`
    UPDATE federation SET fetched_at_ms = ?, bundle = coalesce(?, bundle) WHERE trust_domain = ?`)
  const remove = database.prepare('DELETE FROM federation WHERE trust_domain = ?')
  const all = database.prepare('SELECT * FROM federation ORDER BY trust_domain')
  const named = database.prepare(`
    SELECT DISTINCT value AS name
    FROM (SELECT DISTINCT federates_with FROM entries WHERE federates_with <> '[]'), json_each(federates_with)
    ORDER BY name`)
  return {
    async federatedNames() {
      return named.all().map((row) => row['name'] as string)
    },
    async saveRelationship({ trustDomain, url, profile, endpointId, bundle, fetchedAtMs }, { atMs, by }) {
      save.run(trustDomain, url, profile, endpointId, bundle ?? null, fetchedAtMs, atMs, by)
    },
    async saveFetch(trustDomain, fetchedAtMs, bundle) {
      saveFetch.run(fetchedAtMs, bundle ?? null, trustDomain)
    },
    async deleteRelationship(trustDomain) {
      remove.run(trustDomain)
    },
    async loadRelationships() {
      return all.all().map((row): StoredRelationship => {
        return {
          trustDomain: row['trust_domain'] as string,
          url: row['url'] as string,
          profile: row['profile'] as string,
          endpointId: row['endpoint_id'] as string,
          bundle: (row['bundle'] as string | null) ?? undefined,
          fetchedAtMs: row['fetched_at_ms'] as number,
        }
      })
    },
  }
}
