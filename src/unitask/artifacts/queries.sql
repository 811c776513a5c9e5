-- name: add_artifacts [sqlite]
insert into artifacts (
  id, account_id, task_id, attempt, kind, bucket_id, path, content_type, size_bytes, sha256, created_at, expires_at, published_at)
select r.value ->> 'id', r.value ->> 'account_id', r.value ->> 'task_id', r.value ->> 'attempt', r.value ->> 'kind',
  r.value ->> 'bucket_id', r.value ->> 'path', r.value ->> 'content_type', r.value ->> 'size_bytes', r.value ->> 'sha256',
  r.value ->> 'created_at', r.value ->> 'expires_at', r.value ->> 'published_at'
from json_each(:rows) r
-- name: add_artifacts [postgres]
insert into artifacts (
  id, account_id, task_id, attempt, kind, bucket_id, path, content_type, size_bytes, sha256, created_at, expires_at, published_at)
select id, account_id, task_id, attempt, kind, bucket_id, path, content_type, size_bytes, sha256, created_at, expires_at, published_at
from json_to_recordset(:rows::json) as r(
  id uuid, account_id bigint, task_id uuid, attempt int, kind text, bucket_id bigint, path text, content_type text,
  size_bytes bigint, sha256 text, created_at bigint, expires_at bigint, published_at bigint)

-- name: find_artifact
select * from artifacts
where path = :path and remove_at is null and (pinned or expires_at > :now) and kind <> 'upload'

-- name: read_artifact
select * from artifacts
where id = :id and account_id = :account_id and remove_at is null and (pinned or expires_at > :now)
  and published_at is not null

-- name: list_artifacts [sqlite]
select * from artifacts
where account_id = :account_id and id < :before and remove_at is null and (pinned or expires_at > :now)
  and published_at is not null and (:kind = '' or kind = :kind) and (:task_id = '' or task_id = :task_id)
order by id desc limit :size
-- name: list_artifacts [postgres]
select * from artifacts
where account_id = :account_id and id < :before and remove_at is null and (pinned or expires_at > :now)
  and published_at is not null and (:kind = '' or kind = :kind) and (:task_id = '' or task_id = nullif(:task_id, '')::uuid)
order by id desc limit :size

-- name: publish_outputs [sqlite]
update artifacts set expires_at = r.value ->> 'expires_at', published_at = :now from json_each(:rows) r
where artifacts.task_id = (r.value ->> 'task_id') and artifacts.attempt = (r.value ->> 'attempt')
-- name: publish_outputs [postgres]
update artifacts set expires_at = r.expires_at, published_at = :now
from json_to_recordset(:rows::json) as r(task_id uuid, attempt int, expires_at bigint)
where artifacts.task_id = r.task_id and artifacts.attempt = r.attempt

-- So many of the newest stay.
-- name: give_up_previews [sqlite]
update artifacts set remove_at = :now where id in (
  select a.id from json_each(:rows) r cross join artifacts a
  where a.task_id = r.value and a.kind = 'preview' and a.remove_at is null order by a.id desc limit -1 offset :newest)
-- name: give_up_previews [postgres]
update artifacts set remove_at = :now where id in (
  select a.id from json_array_elements_text(:rows::json) r join artifacts a on a.task_id = r.value::uuid
  where a.kind = 'preview' and a.remove_at is null order by a.id desc offset :newest)

-- One pin of an account at a time: two could each find room for one.
-- name: lock_pins [sqlite]
select :account_id
-- name: lock_pins [postgres]
select pg_advisory_xact_lock(hashtext('unitask.pins'), :account_id::int)

-- name: pinned_bytes
select cast(coalesce(sum(size_bytes), 0) as bigint) as size_bytes from artifacts
where account_id = :account_id and pinned and remove_at is null

-- name: pin
update artifacts set pinned = true where id = :id

-- name: unpin
update artifacts set pinned = false, expires_at = case when expires_at > :until then expires_at else :until end
where id = :id

-- name: give_up
update artifacts set remove_at = :now, pinned = false where id = :id and remove_at is null

-- name: give_up_paths [sqlite]
update artifacts set remove_at = :now, pinned = false where path in (select value from json_each(:rows))
-- name: give_up_paths [postgres]
update artifacts set remove_at = :now, pinned = false
where path in (select value from json_array_elements_text(:rows::json))

-- A file in an account's own bucket that a client was shown is its owner's: it stays there, see forget_expired.
-- name: give_up_expired
update artifacts set remove_at = :now where remove_at is null and not pinned and id in (
  select id from artifacts where expires_at <= :until and remove_at is null and not pinned
    and (bucket_id is null or published_at is null) order by expires_at limit :most)

-- name: forget_expired
delete from artifacts where id in (
  select id from artifacts where expires_at <= :until and remove_at is null and not pinned
    and bucket_id is not null and published_at is not null order by expires_at limit :most)

-- A clock that was ahead has dated these; they live as long as they would have.
-- name: date_anew
update artifacts set created_at = :now, expires_at = :now + (expires_at - created_at) where id in (
  select id from artifacts where id > :future_id and created_at > :future limit :most)

-- name: removals
select id, path, bucket_id, kind, remove_tries from artifacts
where remove_at is not null and (remove_at <= :now or remove_at > :future) order by remove_at limit :most

-- name: remove_later [sqlite]
update artifacts set remove_at = r.value ->> 'remove_at', remove_tries = remove_tries + 1 from json_each(:rows) r
where artifacts.id = (r.value ->> 'id')
-- name: remove_later [postgres]
update artifacts set remove_at = r.remove_at, remove_tries = remove_tries + 1
from json_to_recordset(:rows::json) as r(id uuid, remove_at bigint) where artifacts.id = r.id

-- name: remove_artifacts [sqlite]
delete from artifacts where id in (select value from json_each(:rows))
-- name: remove_artifacts [postgres]
delete from artifacts where id in (select value::uuid from json_array_elements_text(:rows::json))

-- name: known_paths [sqlite]
select path from artifacts where path in (select value from json_each(:rows))
-- name: known_paths [postgres]
select path from artifacts where path in (select value from json_array_elements_text(:rows::json))

-- name: read_upload
select * from artifacts
where id = :id and remove_at is null and expires_at > :now and (kind = 'upload' or (kind = 'input' and task_id is null))

-- name: complete_upload
update artifacts set kind = 'input', expires_at = :expires_at, published_at = :now
where id = :id and kind = 'upload' and remove_at is null
returning *

-- name: add_bucket
insert into buckets (account_id, place, secret, created_at) values (:account_id, :place, :secret, :now)
returning id

-- name: retire_buckets
update buckets set retired_at = :now where account_id = :account_id and retired_at is null

-- name: forget_buckets
delete from buckets where id in (
  select id from buckets b where retired_at <= :until
    and not exists (select 1 from artifacts a where a.bucket_id = b.id) limit :most)

-- name: account_bucket
select * from buckets where account_id = :account_id and retired_at is null order by id desc limit 1

-- name: read_bucket
select * from buckets where id = :id
