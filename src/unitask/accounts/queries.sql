-- name: add_account
insert into accounts (name, plan, limits, unlimited, created_at, updated_at)
values (:name, :plan, :limits, :unlimited, :now, :now)
returning id

-- name: read_account
select a.*, p.limits as plan_limits from accounts a join plans p on p.name = a.plan where a.id = :id

-- name: find_account_named
select a.*, p.limits as plan_limits from accounts a join plans p on p.name = a.plan where a.name = :name

-- name: list_accounts
select a.*, p.limits as plan_limits from accounts a join plans p on p.name = a.plan
where a.id > :after order by a.id limit :most

-- name: lock_accounts [sqlite]
select a.*, p.limits as plan_limits from accounts a join plans p on p.name = a.plan
where a.id in (select value from json_each(:rows))
-- name: lock_accounts [postgres]
select a.*, p.limits as plan_limits from accounts a join plans p on p.name = a.plan
where a.id in (select value::bigint from json_array_elements_text(:rows::json))
order by a.id for update of a

-- name: change_accounts [sqlite]
update accounts set
  available_points = available_points + (c.value ->> 'available_points'),
  held_points = held_points + (c.value ->> 'held_points'),
  used_points = used_points + (c.value ->> 'used_points'),
  active_tasks = active_tasks + (c.value ->> 'active_tasks'),
  staged_tasks = staged_tasks + (c.value ->> 'staged_tasks'),
  active = c.value ->> 'active', spent_day = c.value ->> 'spent_day', spent = c.value ->> 'spent',
  last_turns = c.value ->> 'last_turns'
from json_each(:rows) c where accounts.id = (c.value ->> 'id')
-- name: change_accounts [postgres]
update accounts set
  available_points = accounts.available_points + c.available_points,
  held_points = accounts.held_points + c.held_points,
  used_points = accounts.used_points + c.used_points,
  active_tasks = accounts.active_tasks + c.active_tasks,
  staged_tasks = accounts.staged_tasks + c.staged_tasks,
  active = c.active::json, spent_day = c.spent_day, spent = c.spent::json, last_turns = c.last_turns::json
from json_to_recordset(:rows::json) as c(
  id bigint, available_points bigint, held_points bigint, used_points bigint, active_tasks int, staged_tasks int,
  active text, spent_day int, spent text, last_turns text)
where accounts.id = c.id

-- name: set_account
update accounts set plan = :plan, limits = :limits, enabled = :enabled, unlimited = :unlimited, updated_at = :now
where id = :id

-- name: list_plans
select * from plans order by name

-- name: put_plan
insert into plans (name, limits, updated_at) values (:name, :limits, :now)
on conflict (name) do update set limits = excluded.limits, updated_at = excluded.updated_at

-- name: remove_plan
delete from plans where name = :name and not exists (select 1 from accounts where plan = :name) returning name

-- name: add_key
insert into api_keys (account_id, key_hash, hint, name, scopes, limits, created_at, expires_at)
values (:account_id, :key_hash, :hint, :name, :scopes, :limits, :now, :expires_at)
on conflict (key_hash) do nothing
returning id

-- name: find_key
select k.id, k.account_id, k.scopes, k.limits, k.expires_at, k.replaced_until, a.enabled, a.plan, a.limits as account_limits, p.limits as plan_limits
from api_keys k join accounts a on a.id = k.account_id join plans p on p.name = a.plan
where k.key_hash = :key_hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > :now)
  and (k.replaced_until is null or k.replaced_until > :now)

-- name: list_keys
select k.*, a.name as account from api_keys k join accounts a on a.id = k.account_id
where k.id > :after and (:all_accounts or k.account_id = :account_id) order by k.id limit :most

-- name: count_keys
select count(*) as number from api_keys where account_id = :account_id and revoked_at is null
  and (expires_at is null or expires_at > :now) and (replaced_until is null or replaced_until > :now)

-- name: read_key
select k.*, a.name as account from api_keys k join accounts a on a.id = k.account_id
where k.id = :id and (:all_accounts or k.account_id = :account_id)

-- name: limited_keys
select id, limits from api_keys where account_id = :account_id

-- name: set_key
update api_keys set name = :name, scopes = :scopes, limits = :limits, expires_at = :expires_at,
  replaced_until = :replaced_until
where id = :id

-- name: revoke_key
update api_keys set revoked_at = :now where id = :id and revoked_at is null returning id

-- name: note_use [sqlite]
update api_keys set last_used_at = :now where id in (select value from json_each(:rows))
-- name: note_use [postgres]
update api_keys set last_used_at = :now where id in (select value::bigint from json_array_elements_text(:rows::json))

-- Several servers may start on an empty database at once.
-- name: lock_first [sqlite]
select 1
-- name: lock_first [postgres]
select pg_advisory_xact_lock(hashtext('unitask.first_key'))

-- name: list_credentials
select provider, hint, created_at from credentials where account_id = :account_id

-- name: read_credential
select sealed from credentials where account_id = :account_id and provider = :provider

-- name: put_credential
insert into credentials (account_id, provider, sealed, hint, created_at)
values (:account_id, :provider, :sealed, :hint, :now)
on conflict (account_id, provider) do update
set sealed = excluded.sealed, hint = excluded.hint, created_at = excluded.created_at

-- name: remove_credential
delete from credentials where account_id = :account_id and provider = :provider returning provider
