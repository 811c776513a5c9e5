"""Backups of a whole installation, its database and its files, and what is restored from them and looked at again."""

from unitask.backup.manifest import BackupRefused, Manifest
from unitask.backup.restore import Restored, restore
from unitask.backup.save import Saved, save
from unitask.backup.whole import check_whole

__all__ = ["BackupRefused", "Manifest", "Restored", "Saved", "check_whole", "restore", "save"]
