"""Webhooks: what is owed to clients' endpoints, written in the transaction that makes it due."""
