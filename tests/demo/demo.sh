#!/bin/bash
# The whole thing, seen by a user: a folder of videos becomes summaries, through the public API only, with the curl lines shown.
# No AWS account: a stand-in on this machine plays S3 and Bedrock, and its summaries say so.
#   usage: demo.sh            (from the root of the tree; `make demo` builds what it needs)
#   VIDEOS=folder             your own videos instead of the clips in tests/data
#   ONCE=1                    check every step, clean up, exit 0 only if all of it worked
set -uo pipefail
BUILD=${BUILD:-build/release}
ONCE=${ONCE:-}
dir=${DEMO_DIR:-build/demo}
STACK_BUCKET=demo-videos
# shellcheck source=tests/support/stack.sh
. tests/support/stack.sh
# shellcheck source=tests/demo/lib.sh
. tests/demo/lib.sh

trap 'stack_stop' EXIT
trap 'echo; echo "Stopping."; exit 130' INT TERM HUP

launch() {
    say "A private PostgreSQL, the stand-in for AWS and the service"
    stack_start "$dir" --job-seconds 8 --create-bucket "$STACK_BUCKET" || exit 1
    echo "  service $SERVICE_URL   (log: $dir/vidbatchd.log)"
}

register() {
    say "Register a folder of S3"
    curl_json POST /v1/prefixes "{\"bucket\":\"$STACK_BUCKET\",\"prefix\":\"archive/\",\"suffixes\":[\".mp4\",\".mov\",\".webm\",\".mkv\"]}"
    jq -c '{id, bucket, prefix}' <<<"$BODY"
    prefix=$(jq -er .id <<<"$BODY") || give_up "the answer has no id: $BODY"
}

upload() {
    say "Upload $uploads videos into it: the service signs, the files go straight to S3"
    rm -f "$dir/curl.config"
    local batch first=1
    for batch in "$dir"/batch.*; do
        QUIET=$([ -n "$first" ] || echo 1)
        curl_json POST "/v1/prefixes/$prefix/uploads" "$(batch_request "$batch")"
        batch_curl_config "$batch" <<<"$BODY" >>"$dir/curl.config" || give_up "the uploads do not answer the files: ${BODY:0:500}"
        [ -z "$first" ] || show_first_upload
        first=
    done
    QUIET=
    sed -i '$d' "$dir/curl.config" # no "next" after the last
    # One curl for all: each file has its own URL and headers in this list.
    curl --parallel --parallel-max 8 --fail-early --no-progress-meter --config "$dir/curl.config" >"$dir/upload.log" 2>&1 ||
        give_up "an upload failed: $(tail -3 "$dir/upload.log")"
    echo "  ... and $((uploads - 1)) more"
}

scan() {
    say "See what is there"
    curl_json POST "/v1/prefixes/$prefix/scan"
    QUIET=1 wait_until 60 "the scan" scan_is_done
    curl_json GET "/v1/prefixes/$prefix"
    jq -c .scan <<<"$BODY"
    curl_json GET "/v1/prefixes/$prefix/videos?limit=3"
    jq -r '.data[] | "  \(.name)   \(.size_bytes) bytes"' <<<"$BODY"
}

scan_is_done() {
    curl_json GET "/v1/prefixes/$prefix"
    case $(jq -r .scan.state <<<"$BODY") in
    done) return 0 ;;
    failed) give_up "the scan failed: $(jq -c .scan <<<"$BODY")" ;;
    *) return 1 ;;
    esac
}

run_job() {
    say "Ask one question about all of them: one batch job"
    curl_json POST /v1/jobs "{\"prefix_id\":\"$prefix\",\"prompt\":\"Summarize this video in two sentences for a catalogue.\"}"
    jq -c '{id, state, model_id}' <<<"$BODY"
    job=$(jq -er .id <<<"$BODY") || give_up "the answer has no id: $BODY"
    show_curl GET "/v1/jobs/$job"
    QUIET=1 wait_until 240 "the job" job_is_over
    end_line
}

job_is_over() {
    curl_json GET "/v1/jobs/$job"
    live_line "$(jq -r '"  \(.state)  \(.progress.processed) of \(.progress.total) videos"' <<<"$BODY")"
    case $(jq -r .state <<<"$BODY") in completed | failed | cancelled) return 0 ;; *) return 1 ;; esac
}

results() {
    say "What came out"
    curl_json GET "/v1/jobs/$job"
    printf '%s' "$BODY" >"$dir/job.json"
    jq -r '"  \(.state), \(.outcome): \(.counts.succeeded) succeeded, \(.counts.failed) failed, \(.counts.missing) missing of \(.counts.total)",
           "  tokens: \(.usage.input_tokens) in, \(.usage.output_tokens) out",
           (if .error then "  error: \(.error)" else empty end)' <<<"$BODY"
    curl_json GET "/v1/jobs/$job/summaries?limit=5"
    printf '%s' "$BODY" >"$dir/summaries.json"
    jq -r '.data[] | "  \(.video.name)\n      \(.summary | gsub("\\s+"; " ") | .[0:160])"' <<<"$BODY"
}

verify() {
    say "Did all of it work?"
    local name lines
    is "the job's state" "$(jq -r .state "$dir/job.json")" completed
    is "its outcome" "$(jq -r .outcome "$dir/job.json")" success
    is "summaries of all uploaded videos" "$(jq -r .counts.succeeded "$dir/job.json")" "$uploads"
    is "counts add up" "$(jq -r '.counts | .total == .succeeded + .failed + .missing + .pending' "$dir/job.json")" true
    is "five summaries with words in them" "$(jq '[.data[] | select(.summary | length > 0)] | length' "$dir/summaries.json")" 5
    is "tokens were counted" "$(jq '.usage.input_tokens > 0 and .usage.output_tokens > 0' "$dir/job.json")" true

    curl -sS -D "$dir/report.head" -o "$dir/report.html" "$SERVICE_URL/v1/jobs/$job/report"
    is "the report is a page" "$(grep -ioE '^content-type: text/html' "$dir/report.head" | tr '[:upper:]' '[:lower:]')" "content-type: text/html"
    # A name that needs no escape in HTML; the page may dress its parts.
    name=$(cut -f2 "$dir/plan.tsv" | grep -m 1 -xE '[A-Za-z0-9/._-]+')
    [ -z "$name" ] || is "the report names a video" "$(sed 's/<[^>]*>//g' "$dir/report.html" | grep -oF -m 1 -- "$name" | head -1)" "$name"

    lines=$(curl -sS -H 'Accept: application/x-ndjson' "$SERVICE_URL/v1/jobs/$job/summaries" | tee "$dir/summaries.ndjson" | wc -l)
    is "lines of the export" "$lines" "$uploads"
    is "each line is a JSON object with a summary" "$(jq -s 'map(select(.summary | length > 0)) | length' "$dir/summaries.ndjson")" "$uploads"
    is "every uploaded name is in the export, as it was" \
        "$(diff <(jq -r .video.name "$dir/summaries.ndjson" | LC_ALL=C sort) <(cut -f2 "$dir/plan.tsv" | LC_ALL=C sort) | head -4)" ""
    is "all that was asked of Bedrock fits AWS's model of it" \
        "$(tests/support/bedrock_shapes.py --at-least 1 "$dir/emulator.log" >"$dir/shapes.out" && echo yes)" yes
    stack_end_process "$SERVICE_PID"
    wait "$SERVICE_PID"
    is "the service stopped cleanly" "$?" 0
    echo "demo: $PASSED passed, $FAILED failed, 0 skipped"
    [ "$FAILED" -eq 0 ] || stack_fail "" "$dir/vidbatchd.log" "$dir/emulator.log"
}

linger() {
    cat <<END

Open in a browser:
  $SERVICE_URL/v1/jobs/$job/report
More of the API (all of it: $SERVICE_URL/openapi.yaml):
  curl '$SERVICE_URL/v1/jobs/$job/records?limit=3'
  curl -H 'Accept: text/csv' '$SERVICE_URL/v1/jobs/$job/summaries'
  curl '$SERVICE_URL/v1/summaries?q=mp4'
The service keeps running until Ctrl-C.
END
    while kill -0 "$SERVICE_PID" 2>/dev/null; do
        sleep 1
    done
    give_up "The service has ended by itself"
}

launch
make_plan "${VIDEOS:-}"
register
upload
scan
run_job
results
if [ "$ONCE" = 1 ]; then
    verify
else
    linger
fi
