-- The keel: a schema for each compartment. Clear columns hold opaque ids, enumerations, versions, numbers and times only;
-- every other value that a device reports is in a `sealed` column (HPKE, sealed by intake before it got here).
-- Who changes a row here can hide, delay or invent facts. Nobody can make a device obey: statements carry signatures and the edge checks them.

create schema edge;
create schema console;
create schema vault;
create schema watch;

-- vault ---------------------------------------------------------------------------------------------------------------
-- A voucher is the vault's signed statement; changing one makes it worthless, deleting one locks its device out (noticed).
create table vault.certificate (
  sha256 bytea primary key check (length(sha256) = 32),
  device_id uuid not null,
  path_id uuid not null,
  serial text not null,
  state text not null default 'valid' check (state in ('valid', 'superseded', 'revoked')),
  voucher text not null,
  signature text not null,
  not_after timestamptz not null,
  issued_at timestamptz not null default now()
);
create index certificate_by_device on vault.certificate (device_id);
create index certificate_by_path on vault.certificate (path_id);

create table vault.bootstrap_token (
  device_id uuid primary key,
  sealed bytea not null,
  serves int not null default 0,
  at timestamptz not null default now()
);

-- edge ----------------------------------------------------------------------------------------------------------------
create table edge.device (
  device_id uuid primary key,
  platform text not null check (platform in ('apple')),
  tier text not null check (tier in ('full', 'no-wipe', 'private')),
  unit_id uuid not null,
  state text not null check (state in ('authenticating', 'enrolled', 'left')),
  enrolled_at timestamptz not null,
  last_seen timestamptz not null,
  not_after timestamptz not null,
  facts jsonb not null default '{}',
  facts_at timestamptz,
  lost_mode boolean not null default false,
  sealed bytea,            -- what the device said of itself
  sealed_answers bytea,    -- personal part of its newest answer to DeviceInformation
  push bytea,              -- sealed: token and PushMagic
  push_topic_ours boolean not null default false,
  unlock_token bytea       -- sealed
);
create index device_by_seen on edge.device (last_seen);

create table edge.user_channel (
  device_id uuid not null references edge.device on delete cascade,
  channel text not null check (channel ~ '^[0-9a-f]{32}$'), -- a keyed hash of the user's identifier
  push bytea,
  sealed bytea,
  seen_at timestamptz not null,
  primary key (device_id, channel)
);

-- Small on purpose: only what still has to reach a device. History never slows a check-in.
create table edge.pending (
  device_id uuid not null,
  channel text not null default '',
  seq bigint generated always as identity,
  order_id uuid not null,
  serial int not null default 0,
  command_uuid uuid not null,
  state text not null default 'pending' check (state in ('pending', 'sent', 'not-now')),
  attempts int not null default 0, -- how often the device said NotNow
  expires_at timestamptz not null,
  changed_at timestamptz not null default now(),
  primary key (device_id, channel, seq)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create unique index pending_once on edge.pending (command_uuid);
create index pending_by_order on edge.pending (order_id);

create table edge.result (
  order_id uuid not null,
  device_id uuid not null,
  channel text not null default '',
  serial int not null default 0,
  state text not null check (state in ('acknowledged', 'error', 'expired', 'cancelled')),
  code int,
  domain text,
  at timestamptz not null default now(),
  sealed bytea,
  primary key (order_id, device_id, channel, serial)
);
create index result_by_device on edge.result (device_id, at desc);

create table edge.history (
  at timestamptz not null default now(),
  device_id uuid not null,
  event text not null check (event in ('Authenticate', 'TokenUpdate', 'CheckOut', 'SetBootstrapToken', 'GetBootstrapToken', 'refused', 'renewed')),
  code text
);
create index history_by_device on edge.history (device_id, event, at);

create table edge.wake (
  device_id uuid not null,
  channel text not null default '',
  due timestamptz not null default now(),
  attempts int not null default 0,
  pushed_at timestamptz,
  gone boolean not null default false, -- APNs said 410 or BadDeviceToken
  primary key (device_id, channel)
);
create index wake_due on edge.wake (due) where not gone;

-- console -------------------------------------------------------------------------------------------------------------
create table console.orders (
  order_id uuid primary key,
  kind text not null default 'order' check (kind in ('order', 'standing')),
  statement text not null,     -- canonical; its digest is what members approve
  body bytea not null,         -- the template; sealed to the edge's delivery key when `secret`
  secret boolean not null default false,
  targets uuid[] not null default '{}',
  action text not null default '', -- for lists and for what a device's answer means; the edge reads the body
  class text not null check (class in ('read', 'change', 'trust', 'destroy')), -- for lists; the edge works it out itself
  trigger text check (trigger in ('enrolment', 'daily')), -- of a standing order; a copy, as the next: the edge reads the statement
  expires_at timestamptz,
  state text not null default 'draft' check (state in ('draft', 'approved', 'cancelled')),
  reason_salt text not null,
  reason bytea not null,       -- sealed
  created_by text not null,    -- member id or 'local'
  created_at timestamptz not null default now(),
  approved_at timestamptz
);
create table console.approval (
  order_id uuid not null references console.orders,
  member_id uuid not null,
  approval jsonb not null,
  at timestamptz not null default now(),
  primary key (order_id, member_id)
);
create table console.invitation (
  invitation_id uuid primary key,
  statement text not null,
  approval jsonb not null,
  created_at timestamptz not null default now()
);
create table console.group_version (
  group_id uuid not null,
  version int not null,
  alias text not null,
  statement text not null,
  approval jsonb not null,
  at timestamptz not null default now(),
  primary key (group_id, version)
);
create table console.session (
  token_sha256 bytea primary key,
  member_id uuid not null,
  expires_at timestamptz not null
);

-- watch ---------------------------------------------------------------------------------------------------------------
create table watch.trace (
  at timestamptz not null default now(),
  source text not null,
  code text not null,
  device_id uuid,
  order_id uuid,
  count int not null default 1
);
create index trace_by_time on watch.trace (at);
