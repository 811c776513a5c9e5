-- name: add_tickets [sqlite]
insert into queue (task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline, routes)
select r.value ->> 'task_id', r.value ->> 'account_id', r.value ->> 'api_key_id', r.value ->> 'product', r.value ->> 'family',
  r.value ->> 'engine', r.value ->> 'state', r.value ->> 'turn', r.value ->> 'price_points', r.value ->> 'has_webhook', r.value ->> 'deadline',
  r.value ->> 'routes'
from json_each(:rows) r
-- name: add_tickets [postgres]
insert into queue (task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline, routes)
select task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline, routes
from json_to_recordset(:rows::json) as r(
  task_id uuid, account_id bigint, api_key_id bigint, product text, family text, engine text, state text, turn bigint,
  price_points bigint, has_webhook boolean, deadline bigint, routes text)

-- The ready tasks whose turn it is, lane by lane: each lane reads the head of one partial index, whatever waits behind it.
-- name: claim [sqlite]
update queue set state = 'processing', attempt = attempt + 1, worker_id = :worker_id, progress = 0, note = '',
  attempt_deadline = :now + p.limit_us
from (
  select q.task_id, l.value ->> 'limit_us' as limit_us from json_each(:rows) l cross join queue q
  where q.task_id in (
    select task_id from queue
    where engine = (l.value ->> 'engine') and product = (l.value ->> 'product') and state = 'ready'
    order by turn, task_id limit :most)
  order by q.turn - (l.value ->> 'served') - (l.value ->> 'lead'), q.task_id limit :most
) p where queue.task_id = p.task_id
returning queue.task_id, attempt, engine, attempt_deadline, queue.turn, account_id, remote
-- name: claim [postgres]
with picked as (
  select q.task_id, l.limit_us
  from json_to_recordset(:rows::json) as l(product text, engine text, limit_us bigint, served bigint, lead bigint), lateral (
    select task_id, turn from queue
    where engine = l.engine and product = l.product and state = 'ready'
    order by turn, task_id limit :most for update skip locked) q
  order by q.turn - l.served - l.lead, q.task_id limit :most)
update queue set state = 'processing', attempt = attempt + 1, worker_id = :worker_id, progress = 0, note = '',
  attempt_deadline = :now::bigint + picked.limit_us
from picked where queue.task_id = picked.task_id
returning queue.task_id, attempt, engine, attempt_deadline, queue.turn, account_id, remote

-- name: claim_named [sqlite]
update queue set state = 'processing', attempt = attempt + 1, worker_id = :worker_id, progress = 0, note = '',
  attempt_deadline = deadline
where task_id in (select value from json_each(:rows)) and state = 'ready'
returning task_id, attempt, engine, attempt_deadline, turn, account_id, remote
-- name: claim_named [postgres]
update queue set state = 'processing', attempt = attempt + 1, worker_id = :worker_id, progress = 0, note = '',
  attempt_deadline = deadline
where task_id in (select value::uuid from json_array_elements_text(:rows::json)) and state = 'ready'
returning task_id, attempt, engine, attempt_deadline, turn, account_id, remote

-- name: live
select * from queue order by task_id limit :most

-- name: lock_attempts [sqlite]
select q.* from json_each(:rows) r cross join queue q
where q.task_id = (r.value ->> 'task_id') and q.attempt = (r.value ->> 'attempt') and q.state = 'processing'
-- name: lock_attempts [postgres]
select q.* from queue q
where (q.task_id, q.attempt) in (
    select task_id, attempt from json_to_recordset(:rows::json) as r(task_id uuid, attempt int))
  and q.state = 'processing'
order by q.task_id for update of q

-- name: lock_task [sqlite]
select * from queue where task_id = :task_id
-- name: lock_task [postgres]
select * from queue where task_id = :task_id for update

-- name: lock_overdue [sqlite]
select * from queue where deadline <= :now limit :most
-- name: lock_overdue [postgres]
select * from queue where deadline <= :now limit :most for update skip locked

-- A worker whose lease has passed loses all it holds; so does an attempt that runs past its own deadline.
-- name: lock_abandoned [sqlite]
select * from queue where state = 'processing'
  and (attempt_deadline + :grace <= :now or worker_id not in (select id from workers where lease_until > :now)) limit :most
-- name: lock_abandoned [postgres]
select * from queue where state = 'processing'
  and (attempt_deadline + :grace::bigint <= :now::bigint
    or worker_id not in (select id from workers where lease_until > :now::bigint))
limit :most for update skip locked

-- name: lock_staged [sqlite]
select * from queue where account_id = :account_id and state = 'staged' and task_id > :after
order by task_id limit :most
-- name: lock_staged [postgres]
select * from queue where account_id = :account_id and state = 'staged' and task_id > :after
order by task_id limit :most
for update skip locked

-- name: accounts_with_staged
select distinct account_id from queue where state = 'staged' and account_id > :after order by account_id limit :most

-- name: remove_tickets [sqlite]
delete from queue where task_id in (select value from json_each(:rows))
-- name: remove_tickets [postgres]
delete from queue where task_id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: make_ready [sqlite]
update queue set state = 'ready', turn = r.value ->> 'turn', worker_id = null, attempt_deadline = null, progress = 0, note = '',
  remote = case when queue.engine = (r.value ->> 'engine') then remote end,
  engine = r.value ->> 'engine', routes = r.value ->> 'routes'
from json_each(:rows) r where queue.task_id = (r.value ->> 'task_id')
-- name: make_ready [postgres]
update queue set state = 'ready', turn = r.turn, worker_id = null, attempt_deadline = null, progress = 0, note = '',
  remote = case when queue.engine = r.engine then remote end, engine = r.engine, routes = r.routes
from json_to_recordset(:rows::json) as r(task_id uuid, engine text, turn bigint, routes text) where queue.task_id = r.task_id

-- name: keep_remote
update queue set remote = :remote where task_id = :task_id

-- A task whose paid job may be at its provider waits for it.
-- part: unbound
(remote is null or cast(remote as text) like '%"free"%')

-- name: routed
select distinct product, engine from queue where state = 'ready' and routes <> '' and {unbound}

-- name: lock_routed [sqlite]
select * from queue where state = 'ready' and routes <> '' and {unbound} and product = :product and engine = :engine
limit :most
-- name: lock_routed [postgres]
select * from queue where state = 'ready' and routes <> '' and {unbound} and product = :product and engine = :engine
limit :most
for update skip locked

-- name: leave [sqlite]
insert into leftovers (task_id, provider, account_id, remote, created_at)
select r.value ->> 'task_id', r.value ->> 'provider', r.value ->> 'account_id', r.value ->> 'remote', :now from json_each(:rows) r where true
on conflict (task_id, provider) do update set remote = excluded.remote, created_at = excluded.created_at
-- name: leave [postgres]
insert into leftovers (task_id, provider, account_id, remote, created_at)
select task_id, provider, account_id, remote::json, :now::bigint
from json_to_recordset(:rows::json) as r(task_id uuid, provider text, account_id bigint, remote text)
on conflict (task_id, provider) do update set remote = excluded.remote, created_at = excluded.created_at

-- By chance: what cannot be cancelled yet stands in nobody's way.
-- name: leftovers [sqlite]
select task_id, provider, account_id, remote from leftovers where provider in (select value from json_each(:rows))
order by random() limit :most
-- name: leftovers [postgres]
select task_id, provider, account_id, remote from leftovers where provider in (select json_array_elements_text(:rows::json))
order by random() limit :most

-- name: clear_leftovers [sqlite]
delete from leftovers where (task_id, provider) in (
  select r.value ->> 'task_id', r.value ->> 'provider' from json_each(:rows) r)
-- name: clear_leftovers [postgres]
delete from leftovers where (task_id, provider) in (
  select task_id, provider from json_to_recordset(:rows::json) as r(task_id uuid, provider text))

-- name: forget_leftovers
delete from leftovers where created_at < :before

-- name: turns
select engine, turn from turns

-- name: note_turns [sqlite]
insert into turns (engine, turn) select r.value ->> 'engine', r.value ->> 'turn' from json_each(:rows) r where true
on conflict (engine) do update set turn = max(turns.turn, excluded.turn)
-- name: note_turns [postgres]
insert into turns (engine, turn) select engine, turn from json_to_recordset(:rows::json) as r(engine text, turn bigint)
order by engine
on conflict (engine) do update set turn = greatest(turns.turn, excluded.turn)

-- name: uncount [sqlite]
update queue set given_back = given_back + 1 where task_id in (select value from json_each(:rows))
-- name: uncount [postgres]
update queue set given_back = given_back + 1
where task_id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: request_cancel
update queue set cancel_requested = true where task_id = :task_id

-- name: note_progress [sqlite]
update queue set progress = r.value ->> 'progress', note = r.value ->> 'note' from json_each(:rows) r
where queue.task_id = (r.value ->> 'task_id') and queue.attempt = (r.value ->> 'attempt') and queue.state = 'processing'
  and (queue.progress <> (r.value ->> 'progress') or queue.note <> (r.value ->> 'note'))
returning queue.task_id, has_webhook
-- name: note_progress [postgres]
update queue set progress = r.progress, note = r.note
from json_to_recordset(:rows::json) as r(task_id uuid, attempt int, progress float8, note text)
where queue.task_id = r.task_id and queue.attempt = r.attempt and queue.state = 'processing'
  and (queue.progress <> r.progress or queue.note <> r.note)
returning queue.task_id, has_webhook

-- The time of an attempt that waits in its worker has not begun.
-- name: put_off [sqlite]
update queue set attempt_deadline = :now + (l.value ->> 'limit_us') from json_each(:rows) r cross join json_each(:lanes) l
where queue.task_id = (r.value ->> 0) and queue.attempt = (r.value ->> 1) and queue.state = 'processing'
  and queue.product = (l.value ->> 'product') and queue.engine = (l.value ->> 'engine')
-- name: put_off [postgres]
update queue set attempt_deadline = :now::bigint + l.limit_us
from json_array_elements(:rows::json) r,
  json_to_recordset(:lanes::json) as l(product text, engine text, limit_us bigint)
where queue.task_id = (r ->> 0)::uuid and queue.attempt = (r ->> 1)::int and queue.state = 'processing'
  and queue.product = l.product and queue.engine = l.engine

-- name: held_by
select task_id, attempt, cancel_requested from queue where worker_id = :worker_id and state = 'processing'

-- name: beat [sqlite]
insert into workers (id, name, engines, devices, memory, makes, loaded, providers, announced_at, started_at, lease_until)
values (:id, :name, :engines, :devices, :memory, :makes, :loaded, :providers, :now, :now, :lease_until)
on conflict (id) do update set lease_until = excluded.lease_until, engines = excluded.engines, devices = excluded.devices,
  memory = excluded.memory, loaded = excluded.loaded, providers = excluded.providers, makes = coalesce(excluded.makes, makes),
  announced_at = case when excluded.makes <> coalesce(makes, '') then :now else announced_at end
-- name: beat [postgres]
insert into workers (id, name, engines, devices, memory, makes, loaded, providers, announced_at, started_at, lease_until)
values (:id, :name, :engines, :devices, :memory, :makes, :loaded, :providers, :now, :now, :lease_until)
on conflict (id) do update set lease_until = excluded.lease_until, engines = excluded.engines, devices = excluded.devices,
  memory = excluded.memory, loaded = excluded.loaded, providers = excluded.providers, makes = coalesce(excluded.makes, workers.makes),
  announced_at = case when excluded.makes::text <> coalesce(workers.makes::text, '') then excluded.announced_at
    else workers.announced_at end

-- name: announced
select id, announced_at, lease_until from workers where lease_until > :since

-- name: makes [sqlite]
select id, announced_at, makes from workers where id in (select value from json_each(:rows))
-- name: makes [postgres]
select id, announced_at, makes from workers where id in (select json_array_elements_text(:rows::json))

-- name: forget_workers
delete from workers where lease_until < :before

-- name: count_live
select state, count(*) as number from queue group by state

-- name: take_lease
insert into leases (name, holder, until) values (:name, :holder, :until)
on conflict (name) do update set holder = excluded.holder, until = excluded.until
where leases.holder = excluded.holder or leases.until < :now
returning holder

-- name: count_account
select product, state, count(*) as number from queue where account_id = :account_id group by product, state

-- name: lock_waiting [sqlite]
select * from queue where account_id = :account_id and state in ('ready', 'staged') and task_id < :before
  and (:product_prefix = '' or substr(product, 1, length(:product_prefix)) = :product_prefix)
order by task_id limit :most
-- name: lock_waiting [postgres]
select * from queue where account_id = :account_id and state in ('ready', 'staged') and task_id < :before
  and (:product_prefix::text = '' or starts_with(product, :product_prefix::text))
order by task_id limit :most for update skip locked
