-- name: add_account
insert into accounts (name, unlimited, available_points, task_limit, created_at)
values (:name, :unlimited, 0, :task_limit, :now)
returning id

-- name: find_account_named
select * from accounts where name = :name order by id limit 1

-- name: read_account
select * from accounts where id = :id

-- name: lock_accounts [sqlite]
select * from accounts where id in (select value from json_each(:rows))
-- name: lock_accounts [postgres]
select * from accounts where id in (select value::bigint from json_array_elements_text(:rows::json))
order by id for update

-- name: change_accounts [sqlite]
update accounts set
  available_points = available_points + (c.value ->> 'available_points'),
  held_points = held_points + (c.value ->> 'held_points'),
  used_points = used_points + (c.value ->> 'used_points'),
  active_tasks = active_tasks + (c.value ->> 'active_tasks'),
  staged_tasks = staged_tasks + (c.value ->> 'staged_tasks')
from json_each(:rows) c where accounts.id = (c.value ->> 'id')
-- name: change_accounts [postgres]
update accounts set
  available_points = accounts.available_points + c.available_points,
  held_points = accounts.held_points + c.held_points,
  used_points = accounts.used_points + c.used_points,
  active_tasks = accounts.active_tasks + c.active_tasks,
  staged_tasks = accounts.staged_tasks + c.staged_tasks
from json_to_recordset(:rows::json) as c(
  id bigint, available_points bigint, held_points bigint, used_points bigint, active_tasks int, staged_tasks int)
where accounts.id = c.id

-- name: add_key
insert into api_keys (account_id, key_hash, hint, name, created_at)
values (:account_id, :key_hash, :hint, :name, :now)
on conflict (key_hash) do nothing
returning id

-- name: find_key
select id, account_id from api_keys where key_hash = :key_hash and revoked_at is null

-- name: list_keys
select id, account_id, hint, name, created_at, revoked_at from api_keys order by id

-- name: revoke_key
update api_keys set revoked_at = :now where id = :id and revoked_at is null returning id
