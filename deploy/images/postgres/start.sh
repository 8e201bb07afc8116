# Makes the database once, and becomes the server. What was begun and not finished is made anew.
set -euo pipefail
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH

make_database() {
    draft=$PGDATA.draft
    rm -rf "$draft"
    initdb --pgdata="$draft" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >>"$draft/pg_hba.conf"
    # On its socket only, until all is there.
    pg_ctl --pgdata="$draft" --options="-c listen_addresses=''" --wait start
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    for script in /docker-entrypoint-initdb.d/*.sh; do
        # shellcheck disable=SC1090
        . "$script"
    done
    pg_ctl --pgdata="$draft" --wait stop
    mv "$draft" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || make_database
exec postgres -D "$PGDATA" -c listen_addresses='*'
