-- name: finished [sqlite]
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points, created_at)
select printf('00000001-0000-7000-8000-%012d', i), 1, 1, 'Qubico/flux1-dev', 'txt2img', 'completed', '{"prompt":"a cat"}', '{}',
  '[]', '[]', 0, 1 from n
-- name: finished [postgres]
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points, created_at)
select ('00000001-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 1, 1, 'Qubico/flux1-dev', 'txt2img', 'completed',
  '{"prompt":"a cat"}', '{}', '[]', '[]', 0, 1 from generate_series(1, 1000000) i

-- name: pending [sqlite]
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
insert into queue (task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline)
select printf('00000002-0000-7000-8000-%012d', i), 1, 1, 'Qubico/flux1-schnell/txt2img', 'flux', 'preview', 'ready', i, 0, false,
  9000000000000000 from n
-- name: pending [postgres]
insert into queue (task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline)
select ('00000002-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 1, 1, 'Qubico/flux1-schnell/txt2img', 'flux', 'preview', 'ready', i, 0,
  false, 9000000000000000 from generate_series(1, 1000000) i

-- name: pending_tasks [sqlite]
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points, created_at)
select printf('00000002-0000-7000-8000-%012d', i), 1, 1, 'Qubico/flux1-schnell', 'txt2img', 'pending', '{"prompt":"a cat"}', '{}',
  '[]', '[]', 0, 1 from n
-- name: pending_tasks [postgres]
insert into tasks (id, account_id, api_key_id, model, task_type, status, input, config, warnings, logs, price_points, created_at)
select ('00000002-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 1, 1, 'Qubico/flux1-schnell', 'txt2img', 'pending',
  '{"prompt":"a cat"}', '{}', '[]', '[]', 0, 1 from generate_series(1, 1000000) i

-- name: occupied
update accounts set active_tasks = active_tasks + 1000000 where id = 1
