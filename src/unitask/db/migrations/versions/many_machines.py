"""For many machines: what workers announce, tasks by month on PostgreSQL, and which releases a schema still serves."""

import sqlalchemy as sa
from alembic import op

from unitask.kit.clock import Clock
from unitask.kit.ids import made_at_us
from unitask.kit.months import Month

revision = "0002"
down_revision = "0001"

DOCUMENT = sa.JSON().with_variant(sa.Text(), "sqlite")
AHEAD = 3

# Opens a month. Tasks that were ordered before it was open lie in `tasks_rest` and move.
OPEN_MONTH = """
create function open_tasks_month(month text, first uuid, next uuid) returns boolean language plpgsql
set lock_timeout = '2s' as $$
begin
  if to_regclass(month) is not null then
    return false;
  end if;
  execute format('create table %I (like tasks including defaults) with (fillfactor = 80)', month);
  execute format('with moved as (delete from tasks_rest where id >= %L and id < %L returning *)
    insert into %I select * from moved', first, next, month);
  execute format('alter table tasks attach partition %I for values from (%L) to (%L)', month, first, next);
  return true;
end $$"""

# Drops the months before one, by their names, unless a task in them is still alive.
DROP_MONTHS = """
create function drop_tasks_months(month text, first uuid) returns bigint language plpgsql
set lock_timeout = '2s' as $$
declare
  old text;
  dropped bigint := 0;
begin
  if exists (select from queue where task_id < first) then
    return 0;
  end if;
  for old in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'tasks'::regclass and c.relname < month and c.relname <> 'tasks_rest'
  loop
    execute format('drop table %I', old);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$"""


def upgrade() -> None:
    """Apply."""
    op.add_column("workers", sa.Column("makes", DOCUMENT))
    op.add_column("workers", sa.Column("loaded", DOCUMENT, server_default=sa.text("'[]'"), nullable=False))
    op.add_column("workers", sa.Column("memory", DOCUMENT, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("workers", sa.Column("announced_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table("compatibility", sa.Column("oldest", sa.String(length=4), nullable=False))
    op.execute("insert into compatibility (oldest) values ('0001')")
    if op.get_bind().dialect.name == "postgresql":
        _by_month()


def _by_month() -> None:
    """Make what there is the first partition: nothing is copied, and releases before this one notice nothing."""
    newest = op.get_bind().execute(sa.text("select id from tasks order by id desc limit 1")).scalar()
    month = Month.of(max(Clock().now_us(), made_at_us(str(newest)) if newest else 0))
    op.execute(f"alter table tasks rename to {month.partition}")
    op.execute(f"alter index tasks_pkey rename to {month.partition}_pkey")
    op.execute(f"alter index tasks_account rename to {month.partition}_account")
    op.execute(f"create table tasks (like {month.partition} including defaults) partition by range (id)")
    op.execute("alter table tasks add constraint tasks_pkey primary key (id)")
    op.execute("create index tasks_account on tasks (account_id, id)")
    op.execute(
        f"alter table tasks attach partition {month.partition} for values from (minvalue) to ('{month.next.first_id}')"
    )
    op.execute("create table tasks_rest partition of tasks default")
    op.execute(OPEN_MONTH)
    op.execute(DROP_MONTHS)
    for _ in range(AHEAD):
        month = month.next
        op.execute(f"select open_tasks_month('{month.partition}', '{month.first_id}', '{month.next.first_id}')")
