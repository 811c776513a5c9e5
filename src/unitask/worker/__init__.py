"""A worker: claims tasks over HTTP, runs each in a child process, reports. Needs no access to the database."""
