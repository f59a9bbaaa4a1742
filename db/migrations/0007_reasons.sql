-- Why the turnstile refused, beside what it refused.
alter table watch.trace add column reason text check (reason ~ '^[a-z0-9-]{1,64}$');
