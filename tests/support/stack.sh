# shellcheck shell=bash
# The whole thing on this machine: a private PostgreSQL, the stand-in for AWS and the service, each on a free port of
# 127.0.0.1. Sourced by the demo from the root of the tree, with BUILD set.
#   stack_start DIR EMULATOR-OPTION...   DIR is made anew; sets DATABASE_URL, AWS_URL, SERVICE_URL, SERVICE_PID, EMULATOR_PID
#   stack_stop                           stops the three; safe to call twice, or before stack_start
STACK_DIR=
SERVICE_PID=
EMULATOR_PID=

stack_fail() { # stack_fail WORDS LOG...
    local log
    echo "$1" >&2
    shift
    for log in "$@"; do
        [ -s "$log" ] || continue
        echo "---- the end of $log:" >&2
        tail -15 "$log" | cut -c1-400 >&2
    done
    return 1
}

# Waits until the program has written the port it listens on, or has ended.
stack_wait_port() { # stack_wait_port NAME PID PORT-FILE LOG
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        [ -s "$3" ] && return
        kill -0 "$2" 2>/dev/null || { stack_fail "$1 ended before it listened" "$4"; return 1; }
        sleep 0.1
    done
    stack_fail "$1 did not listen within 30 s" "$4"
}

stack_start() {
    local dir=$1
    shift
    # The folder may hold a cluster that an earlier run was not allowed to stop.
    [ ! -d "$dir" ] || tests/support/postgres.sh stop "$dir/postgres"
    rm -rf "$dir"
    mkdir -p "$dir/s3"
    STACK_DIR=$dir
    export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=AKIDVIDBATCHDEMO AWS_SECRET_ACCESS_KEY=demo-secret-of-no-value

    mkdir -p build/secrets-in-use # for secrets_check.py
    echo "$AWS_SECRET_ACCESS_KEY" >build/secrets-in-use/stack

    DATABASE_URL=$(tests/support/postgres.sh start "$dir/postgres") || return 1

    # A session of its own, so that Ctrl-C reaches the caller, who stops things in order.
    setsid "$BUILD/bin/vidbatch-emulator" --listen 127.0.0.1:0 --port-file "$dir/emulator.port" --data "$dir/s3" \
        --access-key "$AWS_ACCESS_KEY_ID" --secret-key "$AWS_SECRET_ACCESS_KEY" --region "$AWS_REGION" \
        --account 111122223333 --log "$dir/emulator.log" "$@" >"$dir/emulator.out" 2>&1 </dev/null &
    EMULATOR_PID=$!
    stack_wait_port "The stand-in for AWS" "$EMULATOR_PID" "$dir/emulator.port" "$dir/emulator.out" || return 1
    AWS_URL=http://127.0.0.1:$(cat "$dir/emulator.port")

    # Nothing of the caller's own AWS settings may leak in, or out.
    env -u AWS_PROFILE -u AWS_SESSION_TOKEN -u AWS_ENDPOINT_URL_S3 -u AWS_ENDPOINT_URL_BEDROCK \
        -u AWS_ENDPOINT_URL_BEDROCK_RUNTIME -u AWS_ENDPOINT_URL_STS -u AWS_ENDPOINT_URL_IAM -u AWS_ENDPOINT_URL_SQS -u AWS_CA_BUNDLE \
        -u AWS_RETRY_MODE -u AWS_MAX_ATTEMPTS -u AWS_REQUEST_CHECKSUM_CALCULATION -u AWS_RESPONSE_CHECKSUM_VALIDATION -u AWS_USE_FIPS_ENDPOINT -u AWS_USE_DUALSTACK_ENDPOINT \
        AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_ENDPOINT_URL="$AWS_URL" \
        VIDBATCH_DATABASE_URL="$DATABASE_URL" VIDBATCH_LISTEN=127.0.0.1:0 VIDBATCH_PORT_FILE="$dir/vidbatchd.port" \
        VIDBATCH_ROLE_ARN=arn:aws:iam::111122223333:role/vidbatch-demo \
        VIDBATCH_STAGING_URI="s3://$STACK_BUCKET/vidbatch-staging" VIDBATCH_OUTPUT_URI="s3://$STACK_BUCKET/vidbatch-output" \
        VIDBATCH_WATCH_INTERVAL=1s VIDBATCH_WATCH_INTERVAL_MAX=2s VIDBATCH_POLL=1s \
        setsid "$BUILD/bin/vidbatchd" >"$dir/vidbatchd.log" 2>&1 </dev/null &
    SERVICE_PID=$!
    stack_wait_port "vidbatchd" "$SERVICE_PID" "$dir/vidbatchd.port" "$dir/vidbatchd.log" || return 1
    # shellcheck disable=SC2034 # for the caller
    SERVICE_URL=http://127.0.0.1:$(cat "$dir/vidbatchd.port")
}

stack_end_process() { # stack_end_process PID: asks, and insists after 12 s
    local tries
    kill -TERM "$1" 2>/dev/null || return 0
    for ((tries = 0; tries < 120; tries++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
}

stack_stop() {
    [ -z "$SERVICE_PID" ] || stack_end_process "$SERVICE_PID"
    [ -z "$EMULATOR_PID" ] || stack_end_process "$EMULATOR_PID"
    [ -z "$STACK_DIR" ] || tests/support/postgres.sh stop "$STACK_DIR/postgres"
    SERVICE_PID='' EMULATOR_PID='' STACK_DIR=''
}
