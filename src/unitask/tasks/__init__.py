"""The story of a task: each use case joins accounts, billing, artifacts, queue and webhooks in one transaction."""
