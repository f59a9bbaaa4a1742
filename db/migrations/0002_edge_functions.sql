-- All that the edge may do: these functions, each for many devices at once. Arrays of one call have one length;
-- each is worked through in the order of devices, so that two batches never wait for each other in a circle. Whatever joins a batch to a
-- table also says `= any` of the batch: then no plan, however old its statistics, can read the whole table.

-- Something happened to devices. Of each kind a device keeps the newest 50: whoever repeats one for ever fills nothing, and pushes out
-- no other. What somebody else is dropping at this moment is passed over, since waiting for it could be waiting in a circle.
create function edge.remember(devices uuid[], event_in text, code_in text default null) returns void
language plpgsql security definer set search_path = '' as $$
declare
  device uuid;
  last timestamptz;
begin
  insert into edge.history (device_id, event, code) select u.device, event_in, code_in from unnest(devices) as u (device);
  for device in select distinct u.device from unnest(devices) as u (device) loop
    select h.at into last from edge.history h where h.device_id = device and h.event = event_in order by h.at desc offset 50 limit 1;
    continue when not found;
    delete from edge.history where ctid = any (array(
      select h.ctid from edge.history h where h.device_id = device and h.event = event_in and h.at <= last for update skip locked));
  end loop;
end $$;

-- Vouchers by path token id: [path, sha256, state, voucher, signature], at most 2000 of each. The newest of every device come first, then
-- the second newest of every one: a device that renews again and again pushes out none of those that it shares a profile with.
create function edge.find_vouchers(paths uuid[])
returns table (path_id uuid, sha256 bytea, state text, voucher text, signature text)
language sql stable security definer set search_path = '' as $$
  select p.path, v.sha256, v.state, v.voucher, v.signature
  from (select distinct u.path from unnest(paths) as u (path)) p cross join lateral (
    select c.*, row_number() over (partition by c.device_id order by c.issued_at desc) as place
    from vault.certificate c where c.path_id = p.path and c.state <> 'superseded'
    order by place, c.issued_at desc limit 2000
  ) v
$$;

-- The new certificate was used: the one before is no longer accepted.
create function edge.supersede(old bytea, device uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update vault.certificate set state = 'superseded' where sha256 = old and device_id = device and state = 'valid';
  if found then
    perform edge.remember(array[device], 'renewed');
  end if;
end $$;

-- An order with all that proves it.
create function edge.find_orders(ids uuid[])
returns table (order_id uuid, kind text, statement text, body bytea, secret boolean, targets uuid[], state text, approvals jsonb)
language sql stable security definer set search_path = '' as $$
  select o.order_id, o.kind, o.statement, o.body, o.secret, o.targets, o.state,
    coalesce((select jsonb_agg(a.approval) from console.approval a where a.order_id = o.order_id), '[]')
  from console.orders o where o.order_id = any (ids)
$$;

create function edge.authenticate(devices uuid[], platforms text[], tiers text[], units uuid[], not_afters timestamptz[], facts_in jsonb[], sealed_in bytea[])
returns void language plpgsql security definer set search_path = '' as $$
begin
  insert into edge.device as d (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after, facts, facts_at, sealed)
    select distinct on (u.device) u.device, u.platform, u.tier, u.unit, 'authenticating', now(), now(), u.not_after, u.facts, now(),
      case when length(u.sealed) <= 262144 then u.sealed end
    from unnest(devices, platforms, tiers, units, not_afters, facts_in, sealed_in) with ordinality
      as u (device, platform, tier, unit, not_after, facts, sealed, n)
    order by u.device, u.n desc
  on conflict (device_id) do update set
    state = case when d.state = 'enrolled' then 'enrolled' else 'authenticating' end,
    last_seen = now(), not_after = excluded.not_after, facts = d.facts || excluded.facts, facts_at = now(), sealed = excluded.sealed;
  perform edge.remember(devices, 'Authenticate');
end $$;

-- channels: '' for the device itself. A device has at most 50 others; what more of them say is not kept, nor what one says whose device
-- is not known. Standing orders for enrolment are queued when a device first becomes enrolled.
create function edge.token_update(devices uuid[], channels text[], not_afters timestamptz[], pushes bytea[], ours boolean[], unlocks bytea[], sealed_in bytea[])
returns void language plpgsql security definer set search_path = '' as $$
begin
  perform from edge.device d where d.device_id = any (devices) order by d.device_id for no key update;
  with said as (
    select * from unnest(devices, channels, not_afters, pushes, ours, unlocks) as u (device, channel, not_after, push, ours, unlock) where channel = '' order by device
  ), before as (
    select d.device_id from edge.device d join said on d.device_id = said.device where d.device_id = any (devices) and d.state <> 'enrolled'
  ), changed as (
    update edge.device d set state = 'enrolled', push = said.push, push_topic_ours = said.ours, not_after = said.not_after,
      unlock_token = coalesce(said.unlock, d.unlock_token), last_seen = now()
    from said where d.device_id = any (devices) and d.device_id = said.device returning d.device_id
  ), queued as (
    insert into edge.pending (device_id, order_id, command_uuid, expires_at)
      select b.device_id, o.order_id, edge.command_uuid(o.order_id, b.device_id, '', 0), 'infinity'
      from before b cross join console.orders o
      where o.kind = 'standing' and o.state = 'approved' and o.trigger = 'enrolment' and o.expires_at > now()
    on conflict do nothing returning device_id
  )
  insert into edge.wake (device_id) select distinct device_id from queued order by device_id on conflict (device_id, channel) do update set due = now(), attempts = 0, gone = false;
  update edge.wake w set gone = false from unnest(devices, channels) as u (device, channel) where w.device_id = any (devices) and w.device_id = u.device and w.channel = u.channel and w.gone;
  with said as (
    select distinct on (u.device, u.channel) u.device, u.channel, u.push, u.sealed
    from unnest(devices, channels, pushes, sealed_in) with ordinality as u (device, channel, push, sealed, n)
    join edge.device d on d.device_id = u.device
    where u.channel <> '' and coalesce(length(u.sealed), 0) <= 262144
    order by u.device, u.channel, u.n desc
  ), placed as (
    select s.*, c.channel is not null as known, row_number() over (partition by s.device, c.channel is not null order by s.channel) as place
    from said s left join edge.user_channel c on c.device_id = s.device and c.channel = s.channel
  )
  insert into edge.user_channel (device_id, channel, push, sealed, seen_at)
    select p.device, p.channel, p.push, p.sealed, now() from placed p
    where p.known or p.place + (select count(*) from edge.user_channel c where c.device_id = p.device) <= 50
  on conflict (device_id, channel) do update set push = excluded.push, sealed = excluded.sealed, seen_at = now();
  perform edge.remember(devices, 'TokenUpdate');
end $$;

create function edge.check_out(devices uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update edge.device set state = 'left', push = null, last_seen = now() where device_id = any (devices);
  insert into edge.result (order_id, device_id, channel, serial, state)
    select order_id, device_id, channel, serial, 'cancelled' from edge.pending where device_id = any (devices) on conflict do nothing;
  delete from edge.pending where device_id = any (devices);
  delete from edge.wake where device_id = any (devices);
  perform edge.remember(devices, 'CheckOut');
end $$;

-- One UUID for each (order, device, channel, serial): a delivery that is repeated repeats it. Same as trust/token.ts commandUuid.
create function edge.command_uuid(order_id uuid, device_id uuid, channel text, serial int) returns uuid
language sql immutable set search_path = '' as $$
  select encode(substr(sha256(convert_to('bulkhead-command/v1' || chr(10) || order_id::text || chr(10) || device_id::text || chr(10) || channel || chr(10) || serial::text, 'UTF8')), 1, 16), 'hex')::uuid
$$;

-- A batch of connects. statuses: 0 Idle, 1 Acknowledged, 2 Error, 3 CommandFormatError, 4 NotNow. What was answered is recorded,
-- then each gets what is next. Idle brings NotNow commands up again, each once: within a session only those are asked that stand behind
-- what was just answered, so that one which is put off for ever holds up no other.
create function edge.connect(devices uuid[], channels text[], statuses smallint[], commands uuid[], codes int[], domains text[], facts_in jsonb[], sealed_in bytea[])
returns table (at int, order_id uuid, serial int, answered_order uuid)
language plpgsql security definer set search_path = '' as $$
declare
  answered uuid[];
  passed bigint[];
begin
  if exists (select 1 from unnest(statuses) as s where s <> 0) then
    with said as (
      select * from unnest(devices, channels, statuses, commands, codes, domains, facts_in, sealed_in) with ordinality
        as u (device, channel, status, command, code, domain, facts, sealed, n) where status between 1 and 3 order by device
    ), done as (
      delete from edge.pending p using said where p.command_uuid = any (commands) and p.device_id = said.device and p.channel = said.channel and p.command_uuid = said.command
      returning p.device_id, p.channel, p.order_id, p.serial, p.seq, said.status, said.code, said.domain, said.facts, said.sealed, said.n
    ), kept as (
      insert into edge.result as r (order_id, device_id, channel, serial, state, code, domain, sealed)
        select d.order_id, d.device_id, d.channel, d.serial, case when d.status = 1 then 'acknowledged' else 'error' end, d.code, d.domain, d.sealed from done d
      on conflict on constraint result_pkey do update set state = excluded.state, code = excluded.code, domain = excluded.domain, at = now(), sealed = excluded.sealed
    ), learnt as (
      update edge.device v set
        facts = v.facts || coalesce(d.facts, '{}'),
        facts_at = case when d.facts is null then v.facts_at else now() end,
        sealed_answers = case when d.facts is null then v.sealed_answers else coalesce(d.sealed, v.sealed_answers) end,
        lost_mode = case o.action when 'EnableLostMode' then true when 'DisableLostMode' then false else v.lost_mode end
      from done d left join console.orders o on o.order_id = d.order_id and o.action in ('EnableLostMode', 'DisableLostMode')
      where v.device_id = any (devices) and v.device_id = d.device_id and d.status = 1 and (d.facts is not null or o.action is not null)
    )
    select array_agg(d.order_id order by s.n), array_agg(d.seq order by s.n) into answered, passed
      from unnest(devices) with ordinality as s (device, n) left join done d on d.n = s.n;
    with put_off as (
      update edge.pending p set state = 'not-now', attempts = p.attempts + 1, changed_at = now()
        from unnest(devices, channels, statuses, commands) with ordinality as u (device, channel, status, command, n)
        where u.status = 4 and p.command_uuid = any (commands) and p.device_id = u.device and p.channel = u.channel and p.command_uuid = u.command
      returning u.n, p.seq
    )
    select array_agg(coalesce(o.seq, passed[s.n]) order by s.n) into passed
      from unnest(devices) with ordinality as s (device, n) left join put_off o on o.n = s.n;
  end if;
  return query
    select u.n::int, p.order_id, p.serial, answered[u.n]
    from unnest(devices, channels, statuses) with ordinality as u (device, channel, status, n)
    left join lateral (
      select q.order_id, q.serial from edge.pending q
      where q.device_id = u.device and q.channel = u.channel and q.expires_at > now() and (u.status = 0 or q.state <> 'not-now' or q.seq > passed[u.n])
      order by q.seq limit 1
    ) p on true;
end $$;

-- What was handed out; written behind the answer, since a lost mark only means that the same UUID is sent again. What somebody is answering
-- at this moment is passed over: its mark is worth nothing any more, and waiting for it could be waiting in a circle. A NotNow that came first stays.
create function edge.mark_sent(commands uuid[]) returns void
language sql security definer set search_path = '' as $$
  update edge.pending set state = 'sent', changed_at = now() where command_uuid = any (array(
    select q.command_uuid from edge.pending q where q.command_uuid = any (commands) and q.state = 'pending' for update skip locked))
$$;

-- A delivery that the turnstile refused, or an answer that nobody can decode: it leaves the queue with its reason, so nothing behind it waits for ever.
create function edge.fail(device uuid, in_channel text, order_in uuid, code_in text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  with gone as (
    delete from edge.pending p where p.device_id = device and p.channel = in_channel and p.seq = (
      select q.seq from edge.pending q where q.device_id = device and q.channel = in_channel
        and (q.order_id = order_in or (order_in is null and q.state = 'sent')) order by q.seq limit 1)
    returning p.order_id, p.device_id, p.channel, p.serial
  )
  insert into edge.result (order_id, device_id, channel, serial, state, domain)
    select g.order_id, g.device_id, g.channel, g.serial, 'error', code_in from gone g
  on conflict on constraint result_pkey do update set state = 'error', domain = excluded.domain, at = now();
  perform edge.remember(array[device], 'refused', code_in);
end $$;

create function edge.touch(devices uuid[], at timestamptz) returns void
language sql security definer set search_path = '' as $$
  update edge.device set last_seen = at where device_id = any (array(
    select v.device_id from edge.device v where v.device_id = any (devices) and v.last_seen < at order by v.device_id for update))
$$;

create function edge.enqueue_renewal(device uuid, order_in uuid, serial_in int) returns void
language sql security definer set search_path = '' as $$
  insert into edge.pending (device_id, order_id, serial, command_uuid, expires_at)
  select device, order_in, serial_in, edge.command_uuid(order_in, device, '', serial_in), now() + interval '1 day'
  where not exists (select 1 from edge.result r where r.order_id = order_in and r.device_id = device and r.serial = serial_in)
  on conflict do nothing
$$;

-- Devices that were answered 503 are woken again.
create function edge.wake_paths(paths uuid[]) returns void
language sql security definer set search_path = '' as $$
  insert into edge.wake (device_id) select distinct c.device_id from vault.certificate c join edge.device d using (device_id)
    where c.path_id = any (paths) and d.push is not null
  on conflict (device_id, channel) do update set due = now(), attempts = 0
$$;

create function edge.set_bootstrap_token(device uuid, sealed_in bytea) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into vault.bootstrap_token (device_id, sealed) values (device, sealed_in)
    on conflict (device_id) do update set sealed = excluded.sealed, serves = 0, at = now();
  perform edge.remember(array[device], 'SetBootstrapToken');
end $$;

-- For the console: an approved order becomes pending work for its targets.
create function console.enqueue(order_in uuid, user_channel boolean, expires timestamptz) returns int
language plpgsql security definer set search_path = '' as $$
declare
  queued int;
begin
  with targets as (
    select t.device, coalesce(c.channel, '') as channel
    from console.orders o cross join lateral unnest(o.targets) as t (device)
    join edge.device d on d.device_id = t.device and d.state = 'enrolled'
    left join edge.user_channel c on user_channel and c.device_id = t.device
    where o.order_id = order_in and (not user_channel or c.channel is not null)
  ), added as (
    insert into edge.pending (device_id, channel, order_id, command_uuid, expires_at)
      select t.device, t.channel, order_in, edge.command_uuid(order_in, t.device, t.channel, 0), expires from targets t
      where not exists (select 1 from edge.result r where r.order_id = order_in and r.device_id = t.device and r.channel = t.channel)
      order by t.device, t.channel
    on conflict do nothing returning device_id, channel
  ), woken as (
    insert into edge.wake (device_id, channel) select a.device_id, a.channel from added a
    on conflict (device_id, channel) do update set due = now(), attempts = 0
  )
  select count(*) into queued from added;
  return queued;
end $$;

create function console.dequeue(order_in uuid, state_in text) returns int
language plpgsql security definer set search_path = '' as $$
declare
  stopped int;
begin
  with gone as (
    delete from edge.pending p where p.order_id = order_in and (state_in = 'cancelled' or p.expires_at <= now())
    returning p.order_id, p.device_id, p.channel, p.serial
  ), kept as (
    insert into edge.result (order_id, device_id, channel, serial, state)
      select g.order_id, g.device_id, g.channel, g.serial, state_in from gone g on conflict do nothing
  )
  select count(*) into stopped from gone;
  return stopped;
end $$;

-- The console may delete no order. What nobody approved in a month is let go: whoever asks, and whatever the row says of itself, an order
-- with an approval stays.
create function console.sweep_drafts() returns int
language plpgsql security definer set search_path = '' as $$
declare
  gone int;
begin
  delete from console.orders o where o.order_id in (
    select d.order_id from console.orders d
    where d.state in ('draft', 'cancelled') and d.approved_at is null and d.created_at < now() - interval '30 days'
      and not exists (select from console.approval a where a.order_id = d.order_id)
      and not exists (select from edge.pending p where p.order_id = d.order_id)
    limit 500);
  get diagnostics gone = row_count;
  return gone;
end $$;
