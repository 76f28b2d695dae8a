#!/bin/sh
# Builds sql/migrations/*.sql and sql/queries/*.sql into C: writes OUTDIR/sql_files.h and OUTDIR/sql_files.c.
#   usage: sql/embed.sh OUTDIR          (from the root of the tree)
# A line that starts with -- is a comment and is left out; so no string literal may continue on such a line.
# A bad file name, a gap or a doubled number among the migrations and an empty file are refused.
set -eu
LC_ALL=C
export LC_ALL

out=${1:?usage: sql/embed.sh OUTDIR}
root=${SQL_ROOT:-sql}
mkdir -p "$out"
header=$out/sql_files.h.new
source=$out/sql_files.c.new

die() {
    echo "sql/embed.sh: $*" >&2
    exit 1
}

# The text of one file as C string literals, one a line. "?" is escaped because of trigraphs.
literal() {
    awk '
        /^[ \t]*--/ { next }
        { sub(/[ \t\r]+$/, "") }
        /^$/ { next }
        {
            gsub(/\\/, "&&")
            gsub(/"/, "\\\"")
            gsub(/\?/, "\\?")
            gsub(/\t/, "\\t")
            gsub(/[\001-\010\013-\037\177]/, " ")
            print "     \"" $0 "\\n\""
            lines++
        }
        END { exit lines == 0 }
    ' "$1" || die "$1 holds no statement"
}

# One row of a table: the fields before the text, then the text.
row() {
    echo "    {$1,"
    literal "$2"
    echo "    },"
}

cat >"$header" <<'END'
/* Written by sql/embed.sh from sql/migrations and sql/queries. Do not edit. */
#ifndef VIDBATCH_SQL_FILES_H
#define VIDBATCH_SQL_FILES_H

struct sql_query {
    const char *name; /* the file's name without .sql */
    const char *text;
};
struct sql_migration {
    int number;
    const char *name; /* the file's name without .sql */
    const char *text;
};

/* One name per file of sql/queries, in the order of sql_queries. */
enum query {
END
{
    echo '/* Written by sql/embed.sh from sql/migrations and sql/queries. Do not edit. */'
    echo '#include "sql_files.h"'
    echo
    echo '#include <stddef.h>'
    echo
    echo 'const struct sql_query sql_queries[] = {'
} >"$source"

for file in "$root"/queries/*.sql; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .sql)
    case $name in
    [!a-z]* | *[!a-z0-9_]*) die "$file: a query is named in a-z, 0-9 and _, and starts with a letter" ;;
    esac
    echo "    Q_$(echo "$name" | tr '[:lower:]' '[:upper:]')," >>"$header"
    row "\"$name\"" "$file" >>"$source"
done
{
    echo '    {NULL, NULL}, /* the end, never counted */'
    echo '};'
    echo
    echo 'const struct sql_migration sql_migrations[] = {'
} >>"$source"

count=0
for file in "$root"/migrations/*.sql; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .sql)
    case $name in
    [0-9][0-9][0-9][0-9]_*) ;;
    *) die "$file: a migration is named 0001_what_it_does.sql" ;;
    esac
    case $name in
    *[!a-z0-9_]*) die "$file: a migration is named in a-z, 0-9 and _" ;;
    esac
    number=$(echo "$name" | sed 's/_.*//; s/^0*//')
    count=$((count + 1))
    [ "${number:-0}" -eq "$count" ] || die "$file: expected number $count here (numbers start at 1, no gap, none twice)"
    row "$count, \"$name\"" "$file" >>"$source"
done
{
    echo '    {0, NULL, NULL}, /* the end, never counted */'
    echo '};'
    echo
    echo "const int sql_migration_count = $count;"
} >>"$source"

cat >>"$header" <<'END'
    QUERY_COUNT
};

extern const struct sql_query sql_queries[];         /* QUERY_COUNT of them */
extern const struct sql_migration sql_migrations[];  /* sql_migration_count of them, numbered from 1 */
extern const int sql_migration_count;

#endif
END

mv "$source" "$out/sql_files.c"
# An unchanged header keeps its age, so that editing a query does not compile the world again.
if cmp -s "$header" "$out/sql_files.h"; then
    rm "$header"
else
    mv "$header" "$out/sql_files.h"
fi
