#!/bin/bash
# Refuses an #include that points up or sideways. Paths are written from the root; a library's header belongs to the
# modules that may use that library. First proves on planted mistakes that it finds them.
#   usage: includes.sh      (from the root of the tree)
set -euo pipefail

# scan ROOT: prints every wrong include of the tree; exit status 1 when there is one.
scan() {
    # shellcheck disable=SC2016 # $0 is awk's
    (cd "$1" && find server aws sql handlers tests -name '*.[ch]' | LC_ALL=C sort | xargs -r awk '
        BEGIN {
            may["server/base"] = "server/base"
            may["server/media"] = "server/base server/media"
            may["aws"] = "server/base aws"
            may["sql"] = "server/base sql sql_files.h"
            may["server/http"] = "server/base server/http"
            may["server/work"] = "server/base server/media aws sql server/work models_file.h"
            may["handlers"] = "server/base sql server/http server/work handlers openapi_files.h"
            may["server"] = "server/base server/media aws sql server/http server/work handlers server" \
                            " sql_files.h models_file.h openapi_files.h"
            may["tests/emulator"] = "server/base tests/emulator"
            may["tests"] = may["server"] " tests tests/emulator"

            may_use["libpq-fe.h"] = "sql server tests"
            may_use["curl/curl.h"] = "aws server tests"
            may_use["expat.h"] = "aws tests tests/emulator"
            may_use["microhttpd.h"] = "server/http tests tests/emulator"
            may_use["jansson.h"] = "aws server/http handlers server tests tests/emulator"
        }
        function module(path) {
            if (path ~ /^server\/(base|media|http|work)\//)
                return substr(path, 1, index(substr(path, 8), "/") + 6)
            if (path ~ /^tests\/emulator\//)
                return "tests/emulator"
            return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : path
        }
        function has(list, word) {
            return index(" " list " ", " " word " ") > 0
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, part, "\"")
            if (!has(may[module(FILENAME)], module(part[2]))) {
                printf "%s:%d: %s may not include \"%s\"\n", FILENAME, FNR, module(FILENAME), part[2]
                wrong = 1
            }
        }
        /^[ \t]*#[ \t]*include[ \t]*</ {
            split($0, part, /[<>]/)
            if (part[2] in may_use && !has(may_use[part[2]], module(FILENAME))) {
                printf "%s:%d: %s may not include <%s>\n", FILENAME, FNR, module(FILENAME), part[2]
                wrong = 1
            }
        }
        END { exit wrong }')
}

# plant FILE INCLUDE VERDICT: a tree with this one include must be found right or wrong.
plant() {
    local tree
    tree=$(mktemp -d)
    mkdir -p "$tree"/{server/{base,media,http,work},aws,sql,handlers,tests/{unit,emulator}}
    printf '#include <stdio.h>\n  # include %s\n' "$2" >"$tree/$1"
    if scan "$tree" >"$tree/said"; then said=right; else said=wrong; fi
    if [ "$said" != "$3" ] || { [ "$3" = wrong ] && ! grep -q "^$1:2: " "$tree/said"; }; then
        echo "the check itself is broken: $1 including $2 was found $said, and is $3"
        exit 1
    fi
    rm -rf "$tree"
}

plant server/base/a.c '"server/http/reply.h"' wrong
plant server/base/a.c '"server/base/err.h"' right
plant server/media/a.c '"aws/s3.h"' wrong
plant server/media/a.c '"server/media/media.h"' right
plant aws/a.c '"server/media/media.h"' wrong
plant server/work/a.c '"server/media/media.h"' right
plant aws/a.h '"sql/db.h"' wrong
plant aws/a.h '"sigv4.h"' wrong
plant sql/a.c '"aws/s3.h"' wrong
plant sql/a.c '"sql_files.h"' right
plant server/http/a.c '"server/work/queue.h"' wrong
plant server/http/a.c '<libpq-fe.h>' wrong
plant server/work/a.c '"server/http/reply.h"' wrong
plant server/work/a.c '"handlers/routes.h"' wrong
plant server/work/a.c '"aws/s3.h"' right
plant server/work/a.c '"../aws/s3.h"' wrong
plant handlers/a.c '"aws/s3.h"' wrong
plant handlers/a.c '"server/config.h"' wrong
plant handlers/a.c '"server/work/queue.h"' right
plant server/main.c '"handlers/routes.h"' right
plant server/main.c '"tests/support/test.h"' wrong
plant tests/emulator/a.c '"aws/sigv4.h"' wrong
plant tests/emulator/a.c '"server/base/buf.h"' right
plant tests/unit/a.c '"aws/sigv4.h"' right

scan .
