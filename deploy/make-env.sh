#!/bin/sh
# Writes deploy/.env for compose.yml with fresh secrets, once:   deploy/make-env.sh 192.0.2.10
# The argument is the name or address under which clients reach this machine; not localhost, which is another one inside
# of each container.
set -eu
host=${1:?the name or address of this machine, as clients reach it}
file=$(dirname "$0")/.env
[ ! -e "$file" ] || { echo "$file is there already; it is kept" >&2; exit 1; }
secret() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
umask 077
cat > "$file" <<END
# The machine as clients reach it, and its two ports: the API's, and that of stored files.
PUBLIC_HOST=$host
PUBLIC_PORT=8000
FILES_PORT=9000
# The installation's secret: no key works without it. Keep a copy of this file where the backups are not.
UNITASK_SECRET=$(secret)
# The first API key, and the one of operators.
UNITASK_API_KEY=$(secret)
UNITASK_ADMIN_KEY=$(secret)
# What workers show.
UNITASK_WORKER_TOKEN=$(secret)
POSTGRES_PASSWORD=$(secret)
FILES_ACCESS_KEY_ID=unitask
FILES_SECRET_ACCESS_KEY=$(secret)
END
echo "$file is written"
