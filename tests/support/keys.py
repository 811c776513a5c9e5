"""The keys with which the services of a test start."""

API_KEY = "a-key-for-tests"
WORKER_TOKEN = "a-worker-token-for-tests"
ADMIN_KEY = "an-admin-key-for-tests-0123456789-0123456789"
