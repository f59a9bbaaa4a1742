-- A standing order becomes pending work for every enrolled device: serial 0 for enrolment, the day's number for a daily one.
-- What was queued or answered under the same serial is not queued again.
create function console.enqueue_standing(order_in uuid, serial_in int, expires timestamptz) returns int
language plpgsql security definer set search_path = '' as $$
declare
  queued int;
begin
  with added as (
    insert into edge.pending (device_id, order_id, serial, command_uuid, expires_at)
      select d.device_id, order_in, serial_in, edge.command_uuid(order_in, d.device_id, '', serial_in), expires
      from edge.device d
      join console.orders o on o.order_id = order_in and o.kind = 'standing' and o.state = 'approved'
      where d.state = 'enrolled' and not exists (
        select 1 from edge.result r where r.order_id = order_in and r.device_id = d.device_id and r.channel = '' and r.serial = serial_in)
    on conflict do nothing returning device_id
  ), woken as (
    insert into edge.wake (device_id) select a.device_id from added a
    on conflict (device_id, channel) do update set due = now(), attempts = 0
  )
  select count(*) into queued from added;
  return queued;
end $$;
