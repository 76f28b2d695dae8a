#!/bin/sh
# Builds files into C: writes OUT.h and OUT.c with, for every NAME=FILE,
#   extern const char NAME[];  extern const unsigned long NAME_len;   (the bytes as they are, and a closing 0)
#   usage: server/embed.sh OUT NAME=FILE [NAME=FILE...]
set -eu
LC_ALL=C
export LC_ALL

out=${1:?usage: server/embed.sh OUT NAME=FILE...}
shift
mkdir -p "$(dirname "$out")"
base=$(basename "$out")
guard=VIDBATCH_$(echo "$base" | tr '[:lower:]' '[:upper:]')_H

{
    echo '/* Written by server/embed.sh. Do not edit. */'
    echo "#ifndef $guard"
    echo "#define $guard"
    echo
} >"$out.h.new"
{
    echo '/* Written by server/embed.sh. Do not edit. */'
    echo "#include \"$base.h\""
} >"$out.c.new"

for pair in "$@"; do
    name=${pair%%=*}
    file=${pair#*=}
    [ -r "$file" ] || { echo "server/embed.sh: cannot read $file" >&2; exit 1; }
    {
        echo "extern const char ${name}[];"
        echo "extern const unsigned long ${name}_len;"
    } >>"$out.h.new"
    {
        echo
        echo "const char ${name}[] ="
        od -An -v -tu1 "$file" | awk '
            BEGIN { for (i = 0; i < 256; i++) byte[i] = sprintf("%c", i) }
            {
                line = ""
                for (i = 1; i <= NF; i++) {
                    n = $i + 0
                    # "?" is escaped because of trigraphs; three octal digits cannot swallow a digit that follows.
                    if (n == 34 || n == 92 || n == 63 || n < 32 || n > 126)
                        line = line sprintf("\\%03o", n)
                    else
                        line = line byte[n]
                }
                print "    \"" line "\""
            }
            END { if (NR == 0) print "    \"\"" }'
        echo "    ;"
        echo "const unsigned long ${name}_len = sizeof($name) - 1;"
    } >>"$out.c.new"
done
{
    echo
    echo '#endif'
} >>"$out.h.new"

mv "$out.c.new" "$out.c"
if cmp -s "$out.h.new" "$out.h"; then
    rm "$out.h.new"
else
    mv "$out.h.new" "$out.h"
fi
