-- An empty search_path still looks for types in the caller's temporary schema first: a domain of the caller's making would run as the
-- owner of these functions. Named last, it is never met. A test asks this of every function that there will be.
do $$
declare
  f regprocedure;
begin
  for f in select p.oid from pg_catalog.pg_proc p where p.pronamespace in ('edge'::regnamespace, 'console'::regnamespace) loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', f);
  end loop;
end $$;
