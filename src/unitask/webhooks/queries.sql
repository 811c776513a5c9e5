-- name: owe [sqlite]
insert into deliveries (id, account_id, task_id, event, endpoint, secret, host, due_at, next_at, created_at)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'event', r.value ->> 'endpoint',
  r.value ->> 'secret', r.value ->> 'host', :now, :now, :now
from json_each(:rows) r
-- name: owe [postgres]
insert into deliveries (id, account_id, task_id, event, endpoint, secret, host, due_at, next_at, created_at)
select id, account_id, task_id, event, endpoint, secret, host, :now::bigint, :now::bigint, :now::bigint
from json_to_recordset(:rows::json) as r(
  id uuid, account_id bigint, task_id uuid, event text, endpoint text, secret text, host text)

-- A passing message takes the place of the one before it, unless that is still owed: then this one is told with it.
-- name: owe_passing [sqlite]
insert into deliveries (id, account_id, task_id, event, endpoint, secret, host, due_at, next_at, created_at)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'event', r.value ->> 'endpoint',
  r.value ->> 'secret', r.value ->> 'host', :now, :now, :now
from json_each(:rows) r where true
on conflict (task_id, event) do update
  set id = excluded.id, state = 'owed', tries = 0, sent = 0, due_at = excluded.due_at, next_at = excluded.next_at,
    created_at = excluded.created_at, settled_at = null, last_reason = ''
  where deliveries.state <> 'owed'
-- name: owe_passing [postgres]
insert into deliveries (id, account_id, task_id, event, endpoint, secret, host, due_at, next_at, created_at)
select id, account_id, task_id, event, endpoint, secret, host, :now::bigint, :now::bigint, :now::bigint
from json_to_recordset(:rows::json) as r(
  id uuid, account_id bigint, task_id uuid, event text, endpoint text, secret text, host text)
on conflict (task_id, event) do update
  set id = excluded.id, state = 'owed', tries = 0, sent = 0, due_at = excluded.due_at, next_at = excluded.next_at,
    created_at = excluded.created_at, settled_at = null, last_reason = ''
  where deliveries.state <> 'owed'

-- Each host is one step in the index, whatever is owed to it.
-- name: owed_hosts
with recursive hosts(host) as (
  select min(host) from deliveries where state = 'owed' and host > :after
  union all
  select (select min(d.host) from deliveries d where d.state = 'owed' and d.host > hosts.host)
  from hosts where hosts.host is not null)
select host, (select min(d.next_at) from deliveries d where d.state = 'owed' and d.host = hosts.host) as next_at
from hosts where host is not null limit :most

-- name: claim_due [sqlite]
update deliveries set next_at = :until
where id in (
  select d.id from json_each(:rows) l cross join deliveries d
  where d.id in (
    select id from (
      select id, row_number() over (order by next_at) as place from (
        select id, next_at from deliveries
        where host = (l.value ->> 'host') and state = 'owed' and next_at <= :now order by next_at limit :most))
    where place <= (l.value ->> 'most')))
returning *
-- name: claim_due [postgres]
with picked as (
  select q.id from json_to_recordset(:rows::json) as l(host text, most int), lateral (
    select id from deliveries where host = l.host and state = 'owed' and next_at <= :now
    order by next_at limit least(l.most, :most::int) for update skip locked) q)
update deliveries set next_at = :until from picked where deliveries.id = picked.id
returning deliveries.*

-- The claim is the fence: whoever was overtaken, by another process or a replay, writes nothing.
-- name: report [sqlite]
update deliveries set state = r.value ->> 'state', tries = tries + (r.value ->> 'attempts'),
  sent = sent + (r.value ->> 'attempts'), next_at = r.value ->> 'next_at', last_reason = r.value ->> 'reason',
  settled_at = case when r.value ->> 'state' = 'owed' then null else :now end
from json_each(:rows) r
where deliveries.id = (r.value ->> 'id') and state = 'owed' and deliveries.next_at = (r.value ->> 'claimed_until')
returning deliveries.id
-- name: report [postgres]
update deliveries set state = r.state, tries = tries + r.attempts, sent = sent + r.attempts, next_at = r.next_at,
  last_reason = r.reason, settled_at = case when r.state = 'owed' then null else :now::bigint end
from json_to_recordset(:rows::json) as r(
  id uuid, state text, attempts int, next_at bigint, reason text, claimed_until bigint)
where deliveries.id = r.id and deliveries.state = 'owed' and deliveries.next_at = r.claimed_until
returning deliveries.id

-- name: add_attempts [sqlite]
insert into delivery_attempts (delivery_id, number, at, took_ms, status, reason, answer)
select r.value ->> 'delivery_id', r.value ->> 'number', r.value ->> 'at', r.value ->> 'took_ms', r.value ->> 'status',
  r.value ->> 'reason', r.value ->> 'answer'
from json_each(:rows) r
-- name: add_attempts [postgres]
insert into delivery_attempts (delivery_id, number, at, took_ms, status, reason, answer)
select delivery_id, number, at, took_ms, status, reason, answer
from json_to_recordset(:rows::json) as r(
  delivery_id uuid, number int, at bigint, took_ms int, status int, reason text, answer text)

-- After a day without a failure the count of days begins anew.
-- name: note_failures [sqlite]
insert into endpoints (account_id, hash, endpoint, failing_since, failed_at)
select r.value ->> 'account_id', r.value ->> 'hash', r.value ->> 'endpoint', :now, :now from json_each(:rows) r where true
on conflict (account_id, hash) do update set
  failing_since = case when endpoints.failed_at < :gap then excluded.failing_since else endpoints.failing_since end,
  disabled_at = case when endpoints.failed_at >= :gap and endpoints.failing_since <= :long_ago
    then coalesce(endpoints.disabled_at, excluded.failed_at) else endpoints.disabled_at end,
  failed_at = excluded.failed_at
returning account_id, endpoint, disabled_at
-- name: note_failures [postgres]
insert into endpoints (account_id, hash, endpoint, failing_since, failed_at)
select account_id, hash, endpoint, :now::bigint, :now::bigint
from json_to_recordset(:rows::json) as r(account_id bigint, hash text, endpoint text)
on conflict (account_id, hash) do update set
  failing_since = case when endpoints.failed_at < :gap::bigint then excluded.failing_since
    else endpoints.failing_since end,
  disabled_at = case when endpoints.failed_at >= :gap::bigint and endpoints.failing_since <= :long_ago::bigint
    then coalesce(endpoints.disabled_at, excluded.failed_at) else endpoints.disabled_at end,
  failed_at = excluded.failed_at
returning account_id, endpoint, disabled_at

-- name: enable [sqlite]
delete from endpoints where (account_id, hash) in (select r.value ->> 'account_id', r.value ->> 'hash' from json_each(:rows) r)
-- name: enable [postgres]
delete from endpoints where (account_id, hash) in (
  select account_id, hash from json_to_recordset(:rows::json) as r(account_id bigint, hash text))

-- name: failing [sqlite]
select account_id, hash, disabled_at from endpoints
where (account_id, hash) in (select r.value ->> 'account_id', r.value ->> 'hash' from json_each(:rows) r)
-- name: failing [postgres]
select account_id, hash, disabled_at from endpoints where (account_id, hash) in (
  select account_id, hash from json_to_recordset(:rows::json) as r(account_id bigint, hash text))

-- name: list_deliveries
select * from deliveries where account_id = :account_id and id < :before
  and (:state = '' or state = :state) and (:event = '' or event = :event)
order by id desc limit :size

-- A task has one delivery of each event at most.
-- name: list_deliveries_of_task
select * from deliveries where task_id = :task_id and account_id = :account_id and id < :before
  and (:state = '' or state = :state) and (:event = '' or event = :event)
order by id desc limit :size

-- name: find_delivery
select * from deliveries where id = :id and account_id = :account_id

-- name: find_attempts
select * from delivery_attempts where delivery_id = :id order by number

-- name: lock_replayable [sqlite]
select id from deliveries where account_id = :account_id and id > :after and id < :before
  and event in ('task.completed', 'task.failed') and state in (select value from json_each(:rows))
order by id limit :most
-- name: lock_replayable [postgres]
select id from deliveries where account_id = :account_id and id > :after and id < :before
  and event in ('task.completed', 'task.failed') and state in (select value from json_array_elements_text(:rows::json))
order by id limit :most for update

-- name: owe_again [sqlite]
update deliveries set state = 'owed', tries = 0, due_at = :now, next_at = :now, settled_at = null
where id in (select value from json_each(:rows))
-- name: owe_again [postgres]
update deliveries set state = 'owed', tries = 0, due_at = :now::bigint, next_at = :now::bigint, settled_at = null
where id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: give_up [sqlite]
update deliveries set state = 'exhausted', settled_at = :now
where id in (select id from deliveries where state = 'owed' and due_at < :before order by due_at limit :most)
-- name: give_up [postgres]
update deliveries set state = 'exhausted', settled_at = :now::bigint
where id in (
  select id from deliveries where state = 'owed' and due_at < :before order by due_at limit :most for update skip locked)

-- Ids sort by time.
-- name: forget_deliveries
delete from deliveries where id in (
  select id from deliveries where id < :before and state <> 'owed' order by id limit :most)

-- name: forget_attempts
delete from delivery_attempts where (delivery_id, number) in (
  select delivery_id, number from delivery_attempts where delivery_id < :before order by delivery_id limit :most)

-- name: forget_endpoints
delete from endpoints where (account_id, hash) in (
  select account_id, hash from endpoints where failed_at < :before and disabled_at is null order by failed_at limit :most)
