-- name: owe [sqlite]
insert into deliveries (id, account_id, task_id, event, next_at, created_at)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'event', :now, :now
from json_each(:rows) r
-- name: owe [postgres]
insert into deliveries (id, account_id, task_id, event, next_at, created_at)
select id, account_id, task_id, event, :now::bigint, :now::bigint
from json_to_recordset(:rows::json) as r(id uuid, account_id bigint, task_id uuid, event text)
