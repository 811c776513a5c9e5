-- name: add_entries [sqlite]
insert into ledger (account_id, task_id, kind, debit, credit, points, reason, created_at)
select r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'kind', r.value ->> 'debit', r.value ->> 'credit',
  r.value ->> 'points', r.value ->> 'reason', :now
from json_each(:rows) r
-- name: add_entries [postgres]
insert into ledger (account_id, task_id, kind, debit, credit, points, reason, created_at)
select account_id, task_id, kind, debit, credit, points, reason, :now::bigint
from json_to_recordset(:rows::json) as r(
  account_id bigint, task_id uuid, kind text, debit text, credit text, points bigint, reason text)

-- name: replay
select account_id,
  sum(case when credit = 'available' then points when debit = 'available' then -points else 0 end) as available_points,
  sum(case when credit = 'held' then points when debit = 'held' then -points else 0 end) as held_points,
  sum(case when credit = 'used' then points when debit = 'used' then -points else 0 end) as used_points
from ledger group by account_id

-- name: available_before
select coalesce(sum(case when credit = 'available' then points when debit = 'available' then -points else 0 end), 0) as points
from ledger where account_id = :account_id and created_at < :until

-- name: totals
select kind, count(*) as number, sum(points) as points from ledger
where account_id = :account_id and created_at >= :since and created_at < :until group by kind order by kind

-- name: lines
select id, task_id, kind, points, reason, created_at from ledger
where account_id = :account_id and created_at < :until and (created_at, id) > (:since, :after_id)
order by created_at, id limit :most

-- name: add_pack
insert into credit_packs (account_id, capacity, remaining, reason, reference, created_at, expires_at)
values (:account_id, :points, :points, :reason, :reference, :now, :expires_at)
on conflict (account_id, reference) do nothing
returning *

-- name: find_pack
select * from credit_packs where account_id = :account_id and reference = :reference

-- name: packs
select * from credit_packs where account_id = :account_id order by id

-- name: open_packs
select * from credit_packs where account_id = :account_id and remaining > 0 order by id

-- name: accounts_with_expired
select distinct account_id from credit_packs where remaining > 0 and expires_at <= :now and account_id > :after
order by account_id limit :most

-- name: set_packs [sqlite]
update credit_packs set remaining = r.value ->> 'remaining', expired = r.value ->> 'expired' from json_each(:rows) r
where credit_packs.id = (r.value ->> 'id')
-- name: set_packs [postgres]
update credit_packs set remaining = r.remaining, expired = r.expired
from json_to_recordset(:rows::json) as r(id bigint, remaining bigint, expired bigint) where credit_packs.id = r.id

-- Only under the lock of the account, so two transactions never wait for each other's rows.
-- name: count_usage [sqlite]
insert into usage (account_id, day, product, completed, failed, points)
select r.value ->> 'account_id', r.value ->> 'day', r.value ->> 'product', r.value ->> 'completed', r.value ->> 'failed',
  r.value ->> 'points'
from json_each(:rows) r where true
on conflict (account_id, day, product) do update set completed = usage.completed + excluded.completed,
  failed = usage.failed + excluded.failed, points = usage.points + excluded.points
-- name: count_usage [postgres]
insert into usage (account_id, day, product, completed, failed, points)
select account_id, day, product, completed, failed, points
from json_to_recordset(:rows::json) as r(
  account_id bigint, day int, product text, completed int, failed int, points bigint)
on conflict (account_id, day, product) do update set completed = usage.completed + excluded.completed,
  failed = usage.failed + excluded.failed, points = usage.points + excluded.points

-- name: usage
select * from usage where account_id = :account_id and day >= :since and day <= :until order by day, product
