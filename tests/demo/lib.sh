# shellcheck shell=bash disable=SC2034,SC2154 # shares its variables with demo.sh
# Pieces of the demo: showing and running curl, choosing what to upload, counting what was verified.
BODY=
QUIET=
PASSED=0
FAILED=0
LINE=

say() {
    printf '\n\033[1m== %s\033[0m\n' "$1"
}

give_up() {
    end_line
    stack_fail "The demo stopped: $1" "$dir/vidbatchd.log" "$dir/emulator.log"
    [ "$ONCE" != 1 ] || echo "demo: $PASSED passed, $((FAILED + 1)) failed, 0 skipped"
    exit 1
}

is() { # is WHAT GOT WANTED
    if [ "$2" = "$3" ]; then
        PASSED=$((PASSED + 1))
        echo "  ok    $1: ${3:-(no difference)}"
    else
        FAILED=$((FAILED + 1))
        echo "  FAIL  $1: got \"$2\", want \"$3\""
    fi
}

# A line that changes in place on a terminal, and is printed once per change elsewhere.
live_line() {
    [ "$1" != "$LINE" ] || return 0
    LINE=$1
    if [ -t 1 ]; then
        printf '\r\033[K%s' "$1"
    else
        echo "$1"
    fi
}

end_line() {
    [ -z "$LINE" ] || ! [ -t 1 ] || echo
    LINE=
}

show_curl() { # show_curl METHOD PATH [JSON]
    local line="curl"
    if [ -n "${3:-}" ]; then
        line="$line -H 'Content-Type: application/json' -d '$(shorten "$3")'"
    elif [ "$1" != GET ]; then
        line="$line -X $1"
    fi
    printf '$ %s %s\n' "$line" "'$SERVICE_URL$2'"
}

shorten() {
    if [ "${#1}" -gt 200 ]; then
        printf '%s ...' "${1:0:200}"
    else
        printf '%s' "$1"
    fi
}

# Shows a request (unless QUIET), sends it, leaves the answer in BODY; gives up on anything but success.
curl_json() { # curl_json METHOD PATH [JSON]
    local status data=()
    [ -n "$QUIET" ] || show_curl "$@"
    [ -z "${3:-}" ] || data=(-H 'Content-Type: application/json' --data-binary "$3")
    status=$(curl -sS -m 30 -o "$dir/answer" -w '%{http_code}' -X "$1" "${data[@]}" "$SERVICE_URL$2" 2>"$dir/curl.err") ||
        give_up "$1 $2: $(cat "$dir/curl.err")"
    BODY=$(cat "$dir/answer")
    case $status in
    2??) ;;
    *) give_up "$1 $2 answered $status: ${BODY:0:1000}" ;;
    esac
}

wait_until() { # wait_until SECONDS WHAT FUNCTION
    local start=$SECONDS
    until "$3"; do
        [ $((SECONDS - start)) -lt "$1" ] || give_up "$2 was not over after $1 s; last answer: ${BODY:0:1000}"
        kill -0 "$SERVICE_PID" 2>/dev/null || give_up "the service has ended"
        sleep "${WAIT_STEP:-0.3}"
    done
}

# The plan: file, name under the prefix, size; one line each. Bedrock takes no job of fewer than 100 records, so a small
# collection goes up several times under different names.
make_plan() { # make_plan FOLDER-OR-NOTHING
    local folder=${1%/} file size copy=0 wanted=126
    if [ -z "$folder" ]; then
        for file in tests/data/*.{mp4,MP4,mov,webm,mkv}; do
            printf '%s\t%s\n' "$file" "$(stat -c %s "$file")"
        done >"$dir/files.tsv"
        own_names "$wanted" >"$dir/plan.tsv"
    else
        [ -d "$folder" ] || give_up "VIDEOS=$folder is not a folder"
        # Nova takes at most 1 GB; a name with a tab or a newline cannot be in this list.
        find "$folder" -type f -size -1048576k -size +0 -regextype egrep -iregex '.*\.(mp4|mov|webm|mkv)' ! -name '*[[:cntrl:]]*' \
            -printf '%p\t%s\n' | LC_ALL=C sort >"$dir/files.tsv"
        [ -s "$dir/files.tsv" ] || give_up "VIDEOS=$folder holds no .mp4, .mov, .webm or .mkv file"
        : >"$dir/plan.tsv"
        while [ "$(wc -l <"$dir/plan.tsv")" -lt "$wanted" ]; do
            while IFS=$'\t' read -r file size; do
                printf '%s\t%s%s\t%s\n' "$file" "$([ "$copy" -eq 0 ] || echo "copy $copy/")" "${file#"$folder"/}" "$size"
            done <"$dir/files.tsv" >>"$dir/plan.tsv"
            copy=$((copy + 1))
        done
    fi
    uploads=$(wc -l <"$dir/plan.tsv")
    split -l 50 -d -a 4 "$dir/plan.tsv" "$dir/batch."
}

# The clips under names as people give them: blanks, commas, other scripts, signs that URLs and Bedrock dislike.
own_names() { # own_names COUNT
    local i file size suffix number
    local clips
    mapfile -t clips <"$dir/files.tsv"
    for ((i = 1; i <= $1; i++)); do
        IFS=$'\t' read -r file size <<<"${clips[i % ${#clips[@]}]}"
        suffix=${file##*.}
        number=$(printf %03d "$i")
        case $((i % 8)) in
        0) name="2024/Summer trip/clip $number, morning.$suffix" ;;
        1) name="2024/plain/clip-$number.$suffix" ;;
        2) name="Küche/Größe $number.$suffix" ;;
        3) name="日本/旅行 $number.$suffix" ;;
        4) name="a+b=c & d/$number.${suffix^^}" ;;
        5) name="100% (it's)/#$number;v=1.$suffix" ;;
        6) name="deep/er/and/deeper/$number.$suffix" ;;
        7) name="Наше видео/$number.$suffix" ;;
        esac
        printf '%s\t%s\t%s\n' "$file" "$name" "$size"
    done
}

batch_request() { # batch_request BATCH-FILE: the body of the request for upload URLs
    jq -R -s -c '{files: [split("\n")[] | select(. != "") | split("\t") | {name: .[1], size_bytes: (.[2] | tonumber)}]}' "$1"
}

# Reads the answer, writes what curl must do as its configuration file; fails unless every file got its URL.
batch_curl_config() { # batch_curl_config BATCH-FILE <ANSWER
    jq -r --rawfile plan "$1" '
        def word: tojson;
        ($plan | split("\n") | map(select(. != "") | split("\t")) | map({key: .[1], value: .[0]}) | from_entries) as $file_of
        | if (.data | map(.name) | sort) != ($file_of | keys) then error("other names") else . end
        | .data[]
        | "url = \(.url | word)", "request = \(.method | word)", "upload-file = \($file_of[.name] | word)",
          (.headers // {} | to_entries[] | "header = \("\(.key): \(.value)" | word)"),
          "globoff", "fail", "output = \"/dev/null\"", "next"'
}

show_first_upload() {
    jq -r '.data[0] | "$ curl -T '"'"'\(.name)'"'"'" + ([.headers // {} | to_entries[] | " -H '"'"'\(.key): \(.value)'"'"'"] | join(""))
        + " '"'"'\(.url | .[0:110])...'"'"'"' <<<"$BODY"
}
