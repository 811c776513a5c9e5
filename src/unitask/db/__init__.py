"""One schema on two databases: SQLite in the process, PostgreSQL when one machine is not enough."""

from unitask.db.database import Database, Row, Transaction, open_database
from unitask.db.group import Group
from unitask.db.statements import Queries, Statement

__all__ = ["Database", "Group", "Queries", "Row", "Statement", "Transaction", "open_database"]
