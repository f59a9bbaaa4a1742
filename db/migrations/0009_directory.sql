-- The sealed directory. Everything here is sealed or means nothing by itself: a record is the outer half around the inner one, an alias is two random
-- words, a token is twelve bits of a keyed hash. Rows prove nothing: records carry their writer's signature, and the vault's keyring knows which version
-- of each is current. Several versions stand beside each other only while one is being written.
create table console.writer (
  writer_id uuid primary key,
  statement text not null,
  approval jsonb not null,
  at timestamptz not null default now()
);
create table console.record (
  kind text not null check (kind in ('person', 'device', 'text')),
  record_id uuid not null,
  version int not null check (version > 0),
  outer_digest bytea not null check (length(outer_digest) = 32), -- of what is sealed: two writers of one version do not overwrite each other
  unit_id uuid not null,
  alias text not null,
  writer_id uuid not null references console.writer,
  statement text not null,
  signature text not null,
  sealed bytea not null check (length(sealed) <= 65536),
  tokens int[], -- null: written without the unit's key; the next unlocked client makes them
  written_at timestamptz not null default now(),
  primary key (kind, record_id, version, outer_digest)
);
create index record_by_unit on console.record (unit_id, kind, alias, record_id);
create index record_unindexed on console.record (unit_id, record_id) where tokens is null;
create index record_by_token on console.record using gin (tokens);

-- A passkey's own HPKE key, which it announced itself, and the units' private keys sealed to such keys.
create table console.member_key (
  credential_id text primary key,
  statement text not null,
  approval jsonb not null
);
create table console.unit_share (
  unit_id uuid not null,
  public_key text not null,
  credential_id text not null,
  sealed bytea not null check (length(sealed) <= 1024),
  primary key (unit_id, public_key, credential_id)
);

-- Which device a person has: ids only. The newest row of a device counts; one without a person takes it back.
create table console.assignment (
  device_id uuid not null,
  version int not null check (version > 0),
  person_id uuid,
  unit_id uuid not null,
  writer_id uuid not null references console.writer,
  statement text not null,
  signature text not null,
  primary key (device_id, version)
);
create index assignment_by_person on console.assignment (person_id);
