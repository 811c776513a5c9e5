-- name: add_artifacts [sqlite]
insert into artifacts (id, account_id, task_id, attempt, kind, path, content_type, size_bytes, sha256, created_at, expires_at)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'attempt', r.value ->> 'kind',
  r.value ->> 'path', r.value ->> 'content_type', r.value ->> 'size_bytes', r.value ->> 'sha256',
  r.value ->> 'created_at', r.value ->> 'expires_at'
from json_each(:rows) r
-- name: add_artifacts [postgres]
insert into artifacts (id, account_id, task_id, attempt, kind, path, content_type, size_bytes, sha256, created_at, expires_at)
select id, account_id, task_id, attempt, kind, path, content_type, size_bytes, sha256, created_at, expires_at
from json_to_recordset(:rows::json) as r(
  id uuid, account_id bigint, task_id uuid, attempt int, kind text, path text, content_type text, size_bytes bigint,
  sha256 text, created_at bigint, expires_at bigint)

-- name: find_artifact
select * from artifacts where path = :path and expires_at > :now

-- name: publish_outputs [sqlite]
update artifacts set expires_at = r.value ->> 'expires_at' from json_each(:rows) r
where artifacts.task_id = (r.value ->> 'task_id') and artifacts.attempt = (r.value ->> 'attempt')
-- name: publish_outputs [postgres]
update artifacts set expires_at = r.expires_at
from json_to_recordset(:rows::json) as r(task_id uuid, attempt int, expires_at bigint)
where artifacts.task_id = r.task_id and artifacts.attempt = r.attempt

-- name: expired
select id, path from artifacts where expires_at <= :now order by expires_at limit :most

-- name: remove_artifacts [sqlite]
delete from artifacts where id in (select value from json_each(:rows))
-- name: remove_artifacts [postgres]
delete from artifacts where id in (select value::uuid from json_array_elements_text(:rows::json))
