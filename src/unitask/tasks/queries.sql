-- name: add_tasks [sqlite]
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points,
  created_at, trace)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'api_key_id', r.value ->> 'model', r.value ->> 'task_type',
  r.value ->> 'status', r.value ->> 'input', r.value ->> 'config', r.value ->> 'warnings', '[]',
  r.value ->> 'price_points', r.value ->> 'created_at', r.value ->> 'trace'
from json_each(:rows) r
-- name: add_tasks [postgres]
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points,
  created_at, trace)
select id, account_id, api_key_id, model, task_type, status, input::json, config::json, warnings::json, '[]',
  price_points, created_at, trace
from json_to_recordset(:rows::json) as r(
  id uuid, account_id bigint, api_key_id bigint, model text, task_type text, status text, input text, config text,
  warnings text, price_points bigint, created_at bigint, trace text)

-- In the order of the fields of `unitask.tasks.model.Task`.
-- part: stored
t.id, t.account_id, t.api_key_id, t.model, t.task_type, t.status, t.input, t.config, t.warnings, t.price_points, t.created_at,
  t.output, t.error, t.logs, t.engine, t.engine_level, t.attempt, t.charged_points, t.started_at, t.ended_at, t.cost_points,
  t.trace

-- When the first file of its output goes, and where the newest preview lies.
-- part: shown
{stored}, q.progress,
  case when t.ended_at is not null then (
    select min(a.expires_at) from artifacts a
    where a.task_id = t.id and a.published_at is not null and a.remove_at is null and not a.pinned) end,
  case when q.state = 'processing' then (
    select a.path from artifacts a where a.task_id = t.id and a.kind = 'preview' and a.remove_at is null
    order by a.id desc limit 1) end

-- How many stand before a waiting task is counted to a hundred and no further.
-- part: found
select r.number, {shown}, case when q.state = 'ready' then (
  select count(*) from (
    select 1 from queue b where b.engine = q.engine and b.product = q.product and b.state = 'ready'
      and (b.turn, b.task_id) < (q.turn, q.task_id) limit 100) before) end

-- name: find_tasks [sqlite]
{found}
from (select value ->> 'number' as number, value ->> 'id' as id, value ->> 'account_id' as account_id from json_each(:rows)) r
  cross join tasks t left join queue q on q.task_id = t.id
where t.id = r.id and t.account_id = r.account_id
-- name: find_tasks [postgres]
{found}
from json_to_recordset(:rows::json) as r(number int, id uuid, account_id bigint)
  join tasks t on t.id = r.id and t.account_id = r.account_id left join queue q on q.task_id = t.id

-- name: task_account
select account_id from tasks where id = :id

-- name: show_many [sqlite]
select {shown}
from tasks t left join queue q on q.task_id = t.id
where t.id in (select value from json_each(:rows))
-- name: show_many [postgres]
select {shown}
from tasks t left join queue q on q.task_id = t.id
where t.id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: find_configs [sqlite]
select id, account_id, config from tasks where id in (select value from json_each(:rows))
-- name: find_configs [postgres]
select id, account_id, config from tasks where id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: start_tasks [sqlite]
update tasks set status = 'processing', started_at = coalesce(started_at, :now), attempt = r.value ->> 'attempt',
  engine = r.value ->> 'engine'
from json_each(:rows) r where tasks.id = (r.value ->> 'task_id')
returning id, attempt, model, task_type, engine, input, config, trace
-- name: start_tasks [postgres]
update tasks set status = 'processing', started_at = coalesce(started_at, :now::bigint), attempt = r.attempt, engine = r.engine
from json_to_recordset(:rows::json) as r(task_id uuid, attempt int, engine text) where tasks.id = r.task_id
returning tasks.id, tasks.attempt, model, task_type, tasks.engine, input, config, trace

-- name: move_tasks [sqlite]
update tasks set status = r.value ->> 'status',
  cost_points = coalesce(cost_points + (r.value ->> 'cost_points'), cost_points, r.value ->> 'cost_points'),
  logs = case when r.value ->> 'log' is null then logs else json_insert(logs, '$[#]', r.value ->> 'log') end
from json_each(:rows) r where tasks.id = (r.value ->> 'id')
-- name: move_tasks [postgres]
update tasks set status = r.status,
  cost_points = coalesce(tasks.cost_points + r.cost_points, tasks.cost_points, r.cost_points),
  logs = case when r.log is null then logs else (logs::jsonb || to_jsonb(r.log))::json end
from json_to_recordset(:rows::json) as r(id uuid, status text, log text, cost_points bigint) where tasks.id = r.id

-- name: end_tasks [sqlite]
update tasks set status = r.value ->> 'status', output = r.value ->> 'output', error = r.value ->> 'error',
  warnings = (select json_group_array(value) from (
    select value from json_each(tasks.warnings) union all select value from json_each(r.value ->> 'warnings'))),
  logs = (select json_group_array(value) from (
    select value from json_each(tasks.logs) union all select value from json_each(r.value ->> 'logs'))),
  engine_level = r.value ->> 'level', charged_points = r.value ->> 'charged_points', timings = r.value ->> 'timings',
  cost_points = coalesce(cost_points + (r.value ->> 'cost_points'), cost_points, r.value ->> 'cost_points'),
  ended_at = :now
from json_each(:rows) r where tasks.id = (r.value ->> 'id')
-- name: end_tasks [postgres]
update tasks set status = r.status, output = r.output::json, error = r.error::json,
  warnings = (tasks.warnings::jsonb || r.warnings::jsonb)::json, logs = (tasks.logs::jsonb || r.logs::jsonb)::json,
  engine_level = r.level, charged_points = r.charged_points, timings = r.timings::json, ended_at = :now::bigint,
  cost_points = coalesce(tasks.cost_points + r.cost_points, tasks.cost_points, r.cost_points)
from json_to_recordset(:rows::json) as r(
  id uuid, status text, output text, error text, warnings text, logs text, level text, charged_points bigint,
  cost_points bigint, timings text)
where tasks.id = r.id

-- name: keep_keys [sqlite]
insert into idempotency (account_id, key, body_hash, task_id, expires_at)
select r.value ->> 'account_id', r.value ->> 'key', r.value ->> 'body_hash', r.value ->> 'task_id', r.value ->> 'expires_at'
from json_each(:rows) r where true
on conflict (account_id, key) do update
  set body_hash = excluded.body_hash, task_id = excluded.task_id, expires_at = excluded.expires_at
  where idempotency.expires_at <= :now
returning account_id, key, body_hash, task_id
-- name: keep_keys [postgres]
insert into idempotency (account_id, key, body_hash, task_id, expires_at)
select account_id, key, body_hash, task_id, expires_at
from json_to_recordset(:rows::json) as r(account_id bigint, key text, body_hash text, task_id uuid, expires_at bigint)
on conflict (account_id, key) do update
  set body_hash = excluded.body_hash, task_id = excluded.task_id, expires_at = excluded.expires_at
  where idempotency.expires_at <= :now
returning idempotency.account_id, idempotency.key, idempotency.body_hash, idempotency.task_id

-- name: find_keys [sqlite]
select i.* from json_each(:rows) r cross join idempotency i
where i.account_id = (r.value ->> 'account_id') and i.key = (r.value ->> 'key')
-- name: find_keys [postgres]
select i.* from idempotency i where (i.account_id, i.key) in (
  select account_id, key from json_to_recordset(:rows::json) as r(account_id bigint, key text))

-- name: drop_keys [sqlite]
delete from idempotency where task_id in (select value from json_each(:rows))
-- name: drop_keys [postgres]
delete from idempotency where task_id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: forget_keys
delete from idempotency where expires_at <= :now

-- The page is found on the index alone; only its rows are read whole.
-- name: history_page [sqlite]
select {stored} from tasks t where t.id in (
  select id from tasks where account_id = :account_id and created_at >= :since and created_at < :until
    and (:all_models or model in (select value from json_each(:rows)))
  order by id desc limit :size offset :skip)
order by id desc
-- name: history_page [postgres]
select {stored} from tasks t where t.id in (
  select id from tasks where account_id = :account_id and created_at >= :since and created_at < :until
    and (:all_models or model in (select value from json_array_elements_text(:rows::json)))
  order by id desc limit :size offset :skip)
order by id desc

-- name: history_total [sqlite]
select count(*) as number from tasks where account_id = :account_id and created_at >= :since and created_at < :until
  and (:all_models or model in (select value from json_each(:rows)))
-- name: history_total [postgres]
select count(*) as number from tasks where account_id = :account_id and created_at >= :since and created_at < :until
  and (:all_models or model in (select value from json_array_elements_text(:rows::json)))

-- name: list_tasks
select {shown}
from tasks t left join queue q on q.task_id = t.id
where t.account_id = :account_id and t.id < :before and t.id >= :since and (:status = '' or t.status = :status)
  and (:model = '' or t.model = :model) and (:task_type = '' or t.task_type = :task_type)
order by t.id desc limit :size

-- name: find_by_key
select {shown}
from idempotency i join tasks t on t.id = i.task_id left join queue q on q.task_id = t.id
where i.account_id = :account_id and i.key = :key

-- name: open_month [sqlite]
select :name, :first, :next
-- name: open_month [postgres]
select open_tasks_month(:name, :first, :next)

-- name: drop_months [sqlite]
select :name, :first
-- name: drop_months [postgres]
select drop_tasks_months(:name, :first)

-- What is alive is younger than what is forgotten, unless its deadline is that far away.
-- name: forget_tasks [sqlite]
delete from tasks where id in (
  select id from tasks where id < :first and id not in (select task_id from queue) order by id limit :most)
returning id
-- name: forget_tasks [postgres]
delete from tasks_rest where id in (
  select id from tasks_rest where id < :first and id not in (select task_id from queue) order by id limit :most)
returning id
