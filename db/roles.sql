-- The whole of the grants. test/grants.test.ts compares the live database with this file and tries what is forbidden.
-- Roles themselves (bulkhead_migrator, bulkhead_edge, bulkhead_console, bulkhead_vault, bulkhead_watch) are made by the supervisor.

revoke all on schema public from public;
revoke all on all functions in schema edge, console, watch from public;
-- Not in one schema: there, default rights can only be added to.
alter default privileges revoke execute on functions from public;
do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;

-- edge: functions only; it cannot list, read or write one table.
grant usage on schema edge to bulkhead_edge;
grant execute on function
  edge.find_vouchers(uuid[]),
  edge.supersede(bytea, uuid),
  edge.find_orders(uuid[]),
  edge.authenticate(uuid[], text[], text[], uuid[], timestamptz[], jsonb[], bytea[]),
  edge.token_update(uuid[], text[], timestamptz[], bytea[], boolean[], bytea[], bytea[]),
  edge.check_out(uuid[]),
  edge.connect(uuid[], text[], smallint[], uuid[], int[], text[], jsonb[], bytea[]),
  edge.mark_sent(uuid[]),
  edge.fail(uuid, text, uuid, text),
  edge.touch(uuid[], timestamptz),
  edge.enqueue_renewal(uuid, uuid, int),
  edge.wake_paths(uuid[]),
  edge.set_bootstrap_token(uuid, bytea)
to bulkhead_edge;

-- console: its own tables; of the devices, the clear columns only.
grant usage on schema console, edge, vault to bulkhead_console;
grant select, insert on console.orders, console.approval, console.invitation, console.group_version to bulkhead_console;
grant update (state, approved_at) on console.orders to bulkhead_console;
grant select, insert, delete on console.proposal, console.proposal_approval to bulkhead_console;
grant select, insert, delete on console.session to bulkhead_console;
grant select, insert, delete on console.record, console.member_key, console.unit_share, console.assignment to bulkhead_console;
grant update (tokens) on console.record to bulkhead_console;
grant select, insert on console.writer to bulkhead_console;
grant select (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after, facts, facts_at, lost_mode, push_topic_ours, sealed) on edge.device to bulkhead_console;
grant select (device_id, channel, seq, order_id, serial, state, attempts, expires_at, changed_at) on edge.pending to bulkhead_console;
grant select (order_id, device_id, channel, serial, state, code, domain, at) on edge.result to bulkhead_console;
grant select on edge.history to bulkhead_console;
grant select (device_id, channel, due, attempts, pushed_at, gone) on edge.wake to bulkhead_console;
grant select (sha256, device_id, state, voucher, signature, not_after, issued_at) on vault.certificate to bulkhead_console;
grant execute on function console.enqueue(uuid, boolean, timestamptz), console.enqueue_standing(uuid, int, timestamptz), console.dequeue(uuid, text), console.sweep_drafts() to bulkhead_console;

-- vault: its own tables; invitations and orders to verify; sealed push tokens to wake devices.
grant usage on schema vault, edge, console to bulkhead_vault;
grant select, insert on vault.certificate to bulkhead_vault;
grant select on vault.bootstrap_token to bulkhead_vault;
grant update (serves) on vault.bootstrap_token to bulkhead_vault;
grant select on console.invitation to bulkhead_vault;
grant select (order_id, kind, statement, targets, state) on console.orders to bulkhead_vault;
grant select (order_id, approval) on console.approval to bulkhead_vault;
grant select (device_id, state, last_seen, push, unlock_token) on edge.device to bulkhead_vault;
grant select (device_id, channel, push) on edge.user_channel to bulkhead_vault;
grant select (device_id, channel, order_id, state, expires_at) on edge.pending to bulkhead_vault;
grant select, update, delete on edge.wake to bulkhead_vault;

-- watch: its own traces, of which it deletes only what is old.
grant usage on schema watch to bulkhead_watch;
grant select, insert on watch.trace to bulkhead_watch;
grant execute on function watch.forget_old() to bulkhead_watch;
