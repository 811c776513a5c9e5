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
