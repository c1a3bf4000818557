/**
 * The database's history, forward only: a published migration is never edited, a change is a new one. Each is applied in
 * one transaction and its checksum kept, so that an edited history or a database of a newer Picket is noticed at start.
 */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
}

export const migrations: readonly Migration[] = [
  {
    number: 1,
    name: 'registry',
    sql: `
      CREATE TABLE facts (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE entries (
        id            TEXT PRIMARY KEY,
        spiffe_id     TEXT NOT NULL,
        selectors     TEXT NOT NULL, -- JSON list, sorted
        ttl_seconds   INTEGER NOT NULL,
        dns_names     TEXT NOT NULL, -- JSON list
        service       TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        UNIQUE (spiffe_id, selectors)
      ) STRICT;

      CREATE TABLE join_tokens (
        hash          BLOB PRIMARY KEY, -- SHA-256; the token itself is never stored
        selectors     TEXT NOT NULL,
        expires_at_ms INTEGER NOT NULL,
        used_at_ms    INTEGER
      ) STRICT;
      CREATE INDEX join_tokens_by_expiry ON join_tokens (expires_at_ms);

      CREATE TABLE attestations (
        spiffe_id      TEXT PRIMARY KEY,
        facts          TEXT NOT NULL, -- JSON list of attested selectors
        attested_at_ms INTEGER NOT NULL
      ) STRICT;

      CREATE TABLE policies (
        sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
        revision     TEXT NOT NULL UNIQUE,
        digest       TEXT NOT NULL,
        bundle       BLOB NOT NULL,
        pushed_at_ms INTEGER NOT NULL,
        pushed_by    TEXT NOT NULL
      ) STRICT;

      CREATE TABLE instances (
        instance_id TEXT PRIMARY KEY,
        spiffe_id   TEXT NOT NULL,
        service     TEXT NOT NULL,
        address     TEXT NOT NULL -- HOST:PORT of the sidecar's inbound listener
      ) STRICT;
    `,
  },
]
