-- name: add_audit
insert into audit (actor, action, account_id, detail, created_at) values (:actor, :action, :account_id, :detail, :now)

-- name: list_audit
select * from audit where id < :before and (:all_accounts or account_id = :account_id)
  and (:action = '' or action = :action)
order by id desc limit :most

-- name: queue_lines
select engine, product, state, count(*) as number, min(cast(task_id as varchar(36))) as oldest from queue
group by engine, product, state order by engine, product, state

-- What was charged last is what was completed last, and the ledger is in that order whatever still waits.
-- name: recent_runs
select t.model, t.task_type, t.engine, t.created_at, t.started_at, t.ended_at, t.timings, d.settled_at - d.created_at as deliver_us
from (select task_id, kind from (select id, task_id, kind from ledger order by id desc limit :look) newest
  where kind = 'capture' order by id desc limit :most) l
join tasks t on t.id = l.task_id
left join deliveries d on d.task_id = t.id and d.event = 'task.completed' and d.state = 'delivered'

-- name: list_workers
select * from workers order by name, id limit :most

-- name: count_leftovers
select provider, count(*) as number from leftovers group by provider order by provider

-- name: standing
select (select count(*) from (select 1 from deliveries where state = 'owed' limit :most) counted) as owed,
  (select min(due_at) from deliveries where state = 'owed') as owed_since,
  (select until from leases where name = 'housekeeping') as led_until

-- name: running
select task_id, worker_id, engine, product, attempt, progress, note from queue where state = 'processing'
order by worker_id, task_id limit :most

-- name: wrong_balances
with books as (
  select account_id,
    sum(case when credit = 'available' then points when debit = 'available' then -points else 0 end) as available,
    sum(case when credit = 'held' then points when debit = 'held' then -points else 0 end) as held,
    sum(case when credit = 'used' then points when debit = 'used' then -points else 0 end) as used
  from ledger group by account_id
), compared as (
  select a.id as account_id, 'available' as book, a.available_points as points, coalesce(b.available, 0) as expected
  from accounts a left join books b on b.account_id = a.id
  union all select a.id, 'held', a.held_points, coalesce(b.held, 0) from accounts a left join books b on b.account_id = a.id
  union all select a.id, 'used', a.used_points, coalesce(b.used, 0) from accounts a left join books b on b.account_id = a.id
  union all select b.account_id, 'available of no account', 0, b.available from books b
  where not exists (select 1 from accounts a where a.id = b.account_id)
)
select * from compared where points <> expected order by account_id, book

-- name: wrong_holds
select a.id as account_id, a.held_points as points, coalesce(sum(q.price_points), 0) as expected
from accounts a left join queue q on q.account_id = a.id
group by a.id, a.held_points having a.held_points <> coalesce(sum(q.price_points), 0) order by a.id

-- name: wrong_counters
with counted as (
  select a.id as account_id, a.active_tasks, a.staged_tasks,
    count(case when q.state <> 'staged' then 1 end) as active, count(case when q.state = 'staged' then 1 end) as staged
  from accounts a left join queue q on q.account_id = a.id group by a.id, a.active_tasks, a.staged_tasks
)
select account_id, 'active' as book, active_tasks as points, active as expected from counted where active_tasks <> active
union all select account_id, 'staged', staged_tasks, staged from counted where staged_tasks <> staged

-- name: wrong_movements
select id, kind, debit, credit from ledger
where (kind, debit, credit) not in (
  ('top_up', 'outside', 'available'), ('adjust_up', 'outside', 'available'), ('adjust_down', 'available', 'outside'),
  ('hold', 'available', 'held'), ('capture', 'held', 'used'), ('release', 'held', 'available'),
  ('expire', 'available', 'expired'))
  or (kind in ('hold', 'capture', 'release')) <> (task_id is not null) order by id limit 100

-- name: wrong_tasks
with moved as (
  select t.id, t.status, t.price_points, t.charged_points as charged,
    coalesce((select points from ledger where task_id = t.id and kind = 'hold'), -1) as held,
    coalesce((select points from ledger where task_id = t.id and kind = 'capture'), 0) as captured,
    coalesce((select points from ledger where task_id = t.id and kind = 'release'), 0) as released
  from tasks t
)
select * from moved where held <> price_points or captured <> charged or captured > held
  or (status in ('completed', 'failed') and held <> captured + released)
  or (status not in ('completed', 'failed') and captured + released <> 0)
  or (status = 'failed' and captured <> 0)
limit 100

-- Points that were used are drawn from the packs later: packs may hold more than is left, never less.
-- name: wrong_packs
select a.id as account_id, coalesce(sum(p.remaining), 0) as points, a.available_points + a.held_points as expected
from accounts a left join credit_packs p on p.account_id = a.id
where not a.unlimited
group by a.id, a.available_points, a.held_points
having coalesce(sum(p.remaining), 0) < a.available_points + a.held_points order by a.id

-- Lane by lane the heads of one partial index are counted: it costs the same whatever waits behind them.
-- name: demand [sqlite]
select l.value ->> 'engine' as engine, l.value ->> 'product' as product,
  (select count(*) from (select 1 from queue where engine = (l.value ->> 'engine') and product = (l.value ->> 'product')
    and state = 'ready' limit :most)) as waiting,
  (select min(task_id) from (select task_id from queue where engine = (l.value ->> 'engine')
    and product = (l.value ->> 'product') and state = 'ready' order by turn, task_id limit :most)) as oldest,
  coalesce(p.processing, 0) as processing
from json_each(:rows) l left join (
  select engine, product, count(*) as processing from queue where state = 'processing' group by engine, product
) p on p.engine = (l.value ->> 'engine') and p.product = (l.value ->> 'product')
-- name: demand [postgres]
select l.engine, l.product, w.waiting, w.oldest, coalesce(p.processing, 0) as processing
from json_to_recordset(:rows::json) as l(product text, engine text)
cross join lateral (
  select count(*) as waiting, min(cast(task_id as varchar(36))) as oldest from (
    select task_id from queue where engine = l.engine and product = l.product and state = 'ready'
    order by turn, task_id limit :most) heads
) w
left join (
  select engine, product, count(*) as processing from queue where state = 'processing' group by engine, product
) p on p.engine = l.engine and p.product = l.product

-- name: holding
select w.name, count(*) as number from queue q join workers w on w.id = q.worker_id
where q.state = 'processing' group by w.name order by w.name limit :most

-- name: put_cluster
insert into clusters (name, report, reported_at) values (:name, :report, :now)
on conflict (name) do update set report = excluded.report, reported_at = excluded.reported_at

-- name: list_clusters
select * from clusters where reported_at > :since order by name limit :most

-- name: forget_clusters
delete from clusters where reported_at <= :since

-- name: signs
select exists (select 1 from api_keys) as has_keys,
  (select count(*) from queue where deadline < :overdue) as overdue,
  (select count(*) from deliveries where state = 'owed' and due_at < :late) as late,
  (select count(*) from endpoints where disabled_at is not null) as disabled

-- name: old_leftovers
select provider, count(*) as number from leftovers where created_at < :before group by provider order by provider

-- One of each kind is enough: all are sealed under one secret.
-- name: some_sealed
select 'keys' as label, sealed from (select sealed from credentials limit 1) one_key
union all select 'buckets', secret from (select secret from buckets limit 1) one_bucket
