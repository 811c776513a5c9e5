"""Webhooks: what is owed to clients' endpoints, sent at least once, signed, retried, logged, sent again on demand."""
