-- Traces end after 90 days. Watch cannot delete: it asks for this, which takes the oldest thousand at a time and no younger one.
create function watch.forget_old() returns int
language sql security definer set search_path = pg_catalog, pg_temp as $$
  with gone as (
    delete from watch.trace where ctid = any (array(
      select ctid from watch.trace where at < now() - interval '90 days' order by at limit 1000))
    returning 1)
  select count(*)::int from gone
$$;
