"""PgBouncer before the PostgreSQL of the tests, in transaction mode; with few connections, so that clients share them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg  # noqa
