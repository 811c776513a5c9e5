"""Workers on a Ray cluster: pools that follow the queue. Ray places, restarts and counts resources; see record 0030."""
