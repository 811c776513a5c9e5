"""The queue: a slim table of live tasks, in the same database and transaction as everything else."""
