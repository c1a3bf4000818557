import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { ControlPlaneError } from '../error.ts'

/**
 * The database's shape, as numbered steps that only go forward. A step that has been released is never edited: each
 * database remembers the SHA-256 of the steps it went through and a program that has others refuses to open it.
 */
export interface Migration {
  readonly name: string
  readonly sql: string
}

export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-registry',
    sql: `
      CREATE TABLE entries (
        seq           INTEGER PRIMARY KEY AUTOINCREMENT,
        id            TEXT NOT NULL UNIQUE,
        spiffe_id     TEXT NOT NULL,
        selectors     TEXT NOT NULL, -- JSON, sorted, no two alike
        ttl_seconds   INTEGER NOT NULL,
        dns_names     TEXT NOT NULL, -- JSON
        service       TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        created_by    TEXT NOT NULL,
        UNIQUE (spiffe_id, selectors)
      ) STRICT;
      CREATE INDEX entries_by_service ON entries (service);

      -- One row per selector of an entry, so that matching reads only the entries that share one with the facts.
      CREATE TABLE entry_selectors (
        selector TEXT NOT NULL,
        entry    INTEGER NOT NULL REFERENCES entries (seq) ON DELETE CASCADE,
        PRIMARY KEY (selector, entry)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX entry_selectors_by_entry ON entry_selectors (entry);

      CREATE TABLE join_tokens (
        id            TEXT PRIMARY KEY,
        secret_sha256 BLOB NOT NULL,
        selectors     TEXT NOT NULL, -- JSON
        created_at_ms INTEGER NOT NULL,
        created_by    TEXT NOT NULL,
        expires_at_ms INTEGER NOT NULL,
        used_at_ms    INTEGER
      ) STRICT, WITHOUT ROWID;

      -- What was proved, once, by whoever holds the SVIDs that follow from it.
      CREATE TABLE attestations (
        id             TEXT PRIMARY KEY,
        selectors      TEXT NOT NULL, -- JSON
        attested_at_ms INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE svids (
        seq           INTEGER PRIMARY KEY AUTOINCREMENT,
        serial_number TEXT NOT NULL UNIQUE,
        spiffe_id     TEXT NOT NULL,
        attestation   TEXT NOT NULL REFERENCES attestations (id) ON DELETE CASCADE,
        issued_at_ms  INTEGER NOT NULL,
        not_after_ms  INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX svids_by_attestation ON svids (attestation);
      CREATE INDEX svids_by_expiry ON svids (not_after_ms);

      CREATE TABLE policies (
        seq          INTEGER PRIMARY KEY AUTOINCREMENT,
        revision     TEXT NOT NULL UNIQUE,
        digest       TEXT NOT NULL,
        content      BLOB NOT NULL,
        pushed_at_ms INTEGER NOT NULL,
        pushed_by    TEXT NOT NULL,
        active       INTEGER NOT NULL DEFAULT 0
      ) STRICT;
      CREATE UNIQUE INDEX policies_active ON policies (active) WHERE active = 1;

      -- Where sidecars were last reached: a control plane that restarts must not tell that nobody is there.
      CREATE TABLE endpoints (
        spiffe_id     TEXT NOT NULL,
        instance_id   TEXT NOT NULL,
        service       TEXT NOT NULL,
        address       TEXT NOT NULL,
        expires_at_ms INTEGER NOT NULL,
        PRIMARY KEY (spiffe_id, instance_id)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    name: '0002-entries-as-code',
    sql: `
      ALTER TABLE entries ADD COLUMN hint TEXT NOT NULL DEFAULT '';
      ALTER TABLE entries ADD COLUMN federates_with TEXT NOT NULL DEFAULT '[]'; -- JSON, sorted
      ALTER TABLE entries ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0; -- 0 = since it was created
      ALTER TABLE entries ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
      -- How many of the selectors are to be attested; the others are not in entry_selectors.
      ALTER TABLE entries ADD COLUMN attested INTEGER NOT NULL DEFAULT 0;
      UPDATE entries SET attested = json_array_length(selectors);
      CREATE INDEX entries_with_template ON entries (seq) WHERE instr(spiffe_id, '{') > 0;

      -- What grows with each change, by what it counts.
      CREATE TABLE revisions (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      INSERT INTO revisions VALUES ('entries', 1);

      -- By whose key a token was used and what that led to: the same key may ask again when the answer was lost.
      ALTER TABLE join_tokens ADD COLUMN used_by_key TEXT;
      ALTER TABLE join_tokens ADD COLUMN attestation TEXT;

      ALTER TABLE attestations ADD COLUMN evidence TEXT NOT NULL DEFAULT 'join-token';
      ALTER TABLE attestations ADD COLUMN subject TEXT NOT NULL DEFAULT '';

      -- The service's name where a template made it: nobody else may have it while the SVID lives.
      ALTER TABLE svids ADD COLUMN service TEXT;
      CREATE INDEX svids_by_service ON svids (service, not_after_ms) WHERE service IS NOT NULL;
    `,
  },
  {
    name: '0003-federation',
    sql: `
      CREATE TABLE federation (
        trust_domain  TEXT PRIMARY KEY,
        url           TEXT NOT NULL,
        profile       TEXT NOT NULL,
        endpoint_id   TEXT NOT NULL, -- '' unless https_spiffe
        bundle        TEXT, -- SPIFFE bundle document; NULL until there is one
        fetched_at_ms INTEGER NOT NULL,
        set_at_ms     INTEGER NOT NULL,
        set_by        TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      -- Which domains any entry federates with, without a look at the entries that do with none.
      CREATE INDEX entries_federated ON entries (federates_with) WHERE federates_with <> '[]';
    `,
  },
  {
    name: '0004-revocations',
    sql: `
      CREATE TABLE revocations (
        seq           INTEGER PRIMARY KEY AUTOINCREMENT,
        kind          TEXT NOT NULL,
        value         TEXT NOT NULL,
        reason        TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        created_by    TEXT NOT NULL,
        expires_at_ms INTEGER NOT NULL, -- 0 = until it is taken off
        UNIQUE (kind, value)
      ) STRICT;
    `,
  },
  {
    name: '0005-entry-keys',
    sql: `
      -- The one attested selector under which an entry is looked for: one that few others are looked for under.
      ALTER TABLE entries ADD COLUMN key_selector TEXT NOT NULL DEFAULT '';
      UPDATE entries SET key_selector = coalesce(
        (SELECT selector FROM entry_selectors AS own WHERE own.entry = seq
         ORDER BY (SELECT count(*) FROM entry_selectors AS other WHERE other.selector = own.selector) LIMIT 1), '');
      CREATE INDEX entries_by_key_selector ON entries (key_selector);
    `,
  },
]

export function checksumOf({ name, sql }: Migration): string {
  return createHash('sha256').update(`${name}\n${sql}`).digest('hex')
}

/** Brings the database to the newest shape, one transaction per step. Throws `ERR_DATABASE_MIGRATION` before any write. */
export function migrate(database: DatabaseSync, nowMs: number, migrations: readonly Migration[]): void {
  database.exec(`
    CREATE TABLE IF NOT EXISTS migrations (
      version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL
    ) STRICT`)
  const applied = database.prepare('SELECT version, name, checksum FROM migrations ORDER BY version').all()
  checkApplied(applied as unknown as readonly Applied[], migrations)
  const record = database.prepare('INSERT INTO migrations (version, name, checksum, applied_at_ms) VALUES (?, ?, ?, ?)')
  for (const [index, migration] of migrations.entries()) {
    if (index < applied.length) continue
    database.exec('BEGIN IMMEDIATE')
    try {
      database.exec(migration.sql)
      record.run(index + 1, migration.name, checksumOf(migration), nowMs)
      database.exec('COMMIT')
    } catch (thrown) {
      database.exec('ROLLBACK')
      throw thrown
    }
  }
}

interface Applied {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

function checkApplied(applied: readonly Applied[], migrations: readonly Migration[]): void {
  for (const [index, { name, checksum }] of applied.entries()) {
    const known = migrations[index]
    if (!known) throw refusal(`it went through "${name}", which this version of Picket does not have: use a newer one`)
    if (checksum !== checksumOf(known)) throw refusal(`its step "${name}" is not the "${known.name}" of this version`)
  }
}

function refusal(why: string): ControlPlaneError {
  return new ControlPlaneError('ERR_DATABASE_MIGRATION', `the database is of another Picket: ${why}`)
}
