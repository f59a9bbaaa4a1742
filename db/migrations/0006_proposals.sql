-- What members have still to agree on: the next version of the roster, the end of a freeze, the end of orders. A row proves nothing: what counts
-- is the entry of the control log, which holds the statement and the approvals themselves.
create table console.proposal (
  proposal_id text primary key check (proposal_id ~ '^[0-9a-f]{32}$'), -- of the statement's SHA-256
  kind text not null check (kind in ('roster', 'thaw', 'cancel')),
  statement text not null,
  created_by text not null, -- member id or 'local'
  created_at timestamptz not null default now()
);
create table console.proposal_approval (
  proposal_id text not null references console.proposal on delete cascade,
  member_id uuid not null,
  approval jsonb not null,
  at timestamptz not null default now(),
  primary key (proposal_id, member_id)
);
create index proposal_by_time on console.proposal (created_at);
