#!/bin/bash
# The two scripts that turn files into C give back exactly what was put in, and refuse what is wrong.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() {
    echo "embed_test: $*"
    exit 1
}

# Every byte, trigraphs, an octal escape followed by a digit, and no newline at the end.
for i in $(seq 0 255); do printf '%b' "\\0$(printf %03o "$i")"; done >"$tmp/bytes"
# shellcheck disable=SC1003 # the backslashes are meant as they are
printf '??/ ??= \\ "quoted" \0017%s' 'é日' >>"$tmp/bytes"
: >"$tmp/empty"
server/embed.sh "$tmp/some_files" bytes="$tmp/bytes" empty="$tmp/empty"
cat >"$tmp/main.c" <<'END'
#include "some_files.h"
#include <stdio.h>
int main(void)
{
    return !(fwrite(bytes, 1, bytes_len, stdout) == bytes_len && empty_len == 0 && bytes[bytes_len] == 0);
}
END
"${CC:-gcc}" -std=c17 -Wall -Wextra -Werror -I"$tmp" "$tmp/main.c" "$tmp/some_files.c" -o "$tmp/main"
"$tmp/main" | cmp - "$tmp/bytes" || fail "server/embed.sh changed the bytes"

mkdir -p "$tmp/sql/queries" "$tmp/sql/migrations"
# shellcheck disable=SC2016 # $1 is PostgreSQL's
printf '%s\n' '-- Says what it does: "quoted", \ and ??/' "SELECT 'a\\b', '??=', \"x\", E'\\n', 'é' -- kept" \
    "   -- left out" ' FROM t WHERE a ~ $1;' >"$tmp/sql/queries/b_two.sql"
echo 'SELECT 1' >"$tmp/sql/queries/a_one.sql"
echo 'CREATE TABLE t ();' >"$tmp/sql/migrations/0001_start.sql"
echo 'DROP TABLE t;' >"$tmp/sql/migrations/0002_end.sql"
SQL_ROOT=$tmp/sql sql/embed.sh "$tmp"
cat >"$tmp/main.c" <<'END'
#include "sql_files.h"
#include <stdio.h>
int main(void)
{
    printf("%d %s %s%s %s", QUERY_COUNT, sql_queries[Q_A_ONE].name, sql_queries[Q_A_ONE].text,
           sql_queries[Q_B_TWO].name, sql_queries[Q_B_TWO].text);
    printf("%d %d %s %s", sql_migration_count, sql_migrations[1].number, sql_migrations[1].name, sql_migrations[1].text);
    return 0;
}
END
"${CC:-gcc}" -std=c17 -Wall -Wextra -Werror -I"$tmp" "$tmp/main.c" "$tmp/sql_files.c" -o "$tmp/main"
# shellcheck disable=SC2016 # $1 is PostgreSQL's
printf '%s\n' '2 a_one SELECT 1' "b_two SELECT 'a\\b', '??=', \"x\", E'\\n', 'é' -- kept" ' FROM t WHERE a ~ $1;' \
    '2 2 0002_end DROP TABLE t;' >"$tmp/want"
"$tmp/main" | diff "$tmp/want" - || fail "sql/embed.sh changed the SQL"

# One wrong file at a time; each must stop the build.
for wrong in queries/Upper.sql queries/two-words.sql queries/empty.sql migrations/0004_gap.sql migrations/0002_twice.sql \
    migrations/7_short.sql; do
    case $wrong in
    */empty.sql) echo '-- nothing but words' >"$tmp/sql/$wrong" ;;
    *) echo 'SELECT 1' >"$tmp/sql/$wrong" ;;
    esac
    if SQL_ROOT=$tmp/sql sql/embed.sh "$tmp/refused" 2>"$tmp/why"; then
        fail "sql/embed.sh took $wrong"
    fi
    grep -q "${wrong##*/}" "$tmp/why" || fail "sql/embed.sh does not name $wrong: $(cat "$tmp/why")"
    rm "$tmp/sql/$wrong"
done
echo "bytes and SQL come back unchanged, six wrong names and files refused"
