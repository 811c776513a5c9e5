"""What all remote engines share: calls with bounds and patience, the drive of a job, the binding of inputs."""
