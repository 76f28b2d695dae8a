# shellcheck shell=bash
# What the scripts that run tests share. Source it from the root of the tree.

# Runs a command with a fixed address layout where that is allowed: sanitizers of 2022 stumble over the wide randomization
# of newer kernels.
steady() {
    if setarch -R true 2>/dev/null; then
        setarch -R "$@"
    else
        "$@"
    fi
}

# The options of all sanitizers; a finding ends the program with a status of its own, so that no test takes it for a refusal.
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=99:halt_on_error=0:second_deadlock_stack=1}

# counts FILE: "passed failed skipped" of the last line that reads "<name>: N passed, N failed, N skipped"; nothing without one.
counts() {
    sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$1" | tail -1
}
