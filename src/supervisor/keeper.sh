#!/bin/sh
# Holds PostgreSQL for as long as its stdin is open, so that the database ends when the supervisor does, however that ended.
# usage: keeper.sh POSTGRES DATA CONFIG --home HOME
"$1" -D "$2" -c "config_file=$3" </dev/null 3<&- &
postgres=$!
exec 3<&0
# The watcher lives in a process of its own: it also works when this one is killed.
(
  while read -r _; do :; done
  kill -INT "$postgres" 2>/dev/null # fast shutdown
) <&3 >/dev/null &
watcher=$!
exec 0</dev/null 3<&-
trap '' HUP INT TERM
wait "$postgres"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
