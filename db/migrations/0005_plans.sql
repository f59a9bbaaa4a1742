-- How the edge's functions are planned: once, by index, whatever the statistics say. Each call is for a few devices out of many, and a
-- table that was just filled has no statistics yet: the planner would read all of it, or plan anew each time. Without sorting by place on
-- disk or hash, rows are also locked in the order of the batch.
do $$
declare
  f regprocedure;
begin
  for f in select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'edge'::regnamespace and p.provolatile <> 'i' loop
    execute format('alter function %s set plan_cache_mode = force_generic_plan
      set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off', f);
  end loop;
end $$;
