/* Credentials that a program prints (credential_process). It is run without a shell, with an empty input, and with none
 * of our descriptors; what it says is never logged. */
#include "aws/creds_internal.h"

#include "aws/creds_json.h"
#include "server/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 64, MAX_COMMAND = 8192, TIMEOUT_MS = 60000, STEP_MS = 100, REAP_STEP_MS = 5 };

/* ---- the command line ---- */

/* The bytes of one word, up to the first blank that is not quoted. False for a quote that stays open. */
static bool split_word(struct span *rest, struct buf *text)
{
    char quote = '\0';

    while (rest->len) {
        const char c = rest->ptr[0];
        const char next = rest->len > 1 ? rest->ptr[1] : '\0';

        if (!quote && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            break;
        if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if (quote && c == quote) {
            quote = '\0';
        } else if (c == '\\' && ((!quote && rest->len > 1) || (quote == '"' && (next == '"' || next == '\\')))) {
            buf_char(text, next);
            *rest = span_tail(*rest, 1);
        } else {
            buf_char(text, c);
        }
        *rest = span_tail(*rest, 1);
    }
    return !quote;
}

bool creds_split_command(struct span command, struct buf *text, size_t *count, struct err *err)
{
    struct span rest = span_trim(command);

    *count = 0;
    if (!rest.len)
        return creds_refuse(err, "the command is empty");
    if (rest.len > MAX_COMMAND || memchr(rest.ptr, '\0', rest.len))
        return creds_refuse(err, "the command is longer than 8 KiB, or holds a NUL");
    while (rest.len) {
        if (++*count > MAX_WORDS)
            return creds_refuse(err, "the command has more than 64 words");
        if (!split_word(&rest, text))
            return creds_refuse(err, "a quote in the command is not closed");
        buf_add(text, "", 1);
        rest = span_trim(rest);
    }
    return buf_check(text, "the command", err);
}

/* ---- the child ---- */

struct child {
    pid_t pid;  /* its process group's too; 0: none */
    int output; /* -1: none */
};

/* Ends it with all that it has started, and takes its place in the process table away. */
static void child_done(struct child *c)
{
    if (c->output >= 0)
        (void)close(c->output);
    if (c->pid > 0) {
        (void)kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

/* Signals as a fresh program expects them: we block some, and ignore SIGPIPE. */
static bool set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, defaults;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGINT);
    return posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &defaults) == 0 && posix_spawnattr_setpgroup(attributes, 0) == 0 &&
           posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0;
}

static bool set_files(posix_spawn_file_actions_t *actions, int output)
{
    return posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(actions, output, 1) == 0 &&
           posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0) == 0 &&
           posix_spawn_file_actions_addclosefrom_np(actions, 3) == 0;
}

/* posix_spawn, not fork: other threads run. The child's environment is ours. */
static int spawn(char *const words[], int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int status = ENOMEM;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return status;
    if (posix_spawnattr_init(&attributes) == 0) {
        if (set_attributes(&attributes) && set_files(&actions, output))
            status = posix_spawnp(pid, words[0], &actions, &attributes, words, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return status;
}

static bool start(struct child *c, const struct buf *text, size_t count, struct err *err)
{
    char *words[MAX_WORDS + 1] = { text->data };
    char *at = text->data;
    int ends[2];
    int status;

    assert(at && count > 0 && count <= MAX_WORDS);
    for (size_t i = 0; i < count; i++) {
        words[i] = at;
        at += strlen(at) + 1;
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, ERR_INTERNAL, true, HERE, "no pipe: %s", strerror(errno));
    c->output = ends[0];
    status = spawn(words, ends[1], &c->pid);
    (void)close(ends[1]);
    if (status == 0)
        return true;
    c->pid = 0;
    if (status == EAGAIN || status == ENOMEM) /* of processes or memory there may be enough again later */
        return err_set(err, ERR_INTERNAL, true, HERE, "%.200s cannot be run: %s", words[0], strerror(status));
    return creds_refuse(err, "%.200s cannot be run: %s", words[0], strerror(status));
}

static bool timed_out(struct err *err)
{
    return err_set(err, ERR_TIMEOUT, true, HERE, "the command did not end within %d s", TIMEOUT_MS / 1000);
}

/* All that it prints, until it closes its output. */
static bool read_all(const struct child *c, const struct creds_stop *stop, int64_t until_ms, struct buf *out,
                     struct err *err)
{
    for (;;) {
        struct pollfd ready = { .fd = c->output, .events = POLLIN };
        char *room;
        ssize_t got;

        if (!creds_pause(stop, 0, err))
            return false;
        if (clock_mono_ms() >= until_ms)
            return timed_out(err);
        if (poll(&ready, 1, STEP_MS) <= 0)
            continue;
        room = buf_room(out, 1);
        if (!room && out->len == out->max)
            return err_set(err, ERR_UPSTREAM, false, HERE, "the command prints more than 64 KiB");
        if (!room)
            return err_memory(err, HERE);
        got = read(c->output, room, out->max - out->len);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return err_set(err, ERR_UPSTREAM, true, HERE, "the command's output cannot be read: %s", strerror(errno));
        if (got > 0)
            buf_grew(out, (size_t)got);
    }
}

/* Waits for its end, which comes right after its output has been closed. */
static bool reap(struct child *c, const struct creds_stop *stop, int64_t until_ms, struct err *err)
{
    int status = 0;
    pid_t got;

    while ((got = waitpid(c->pid, &status, WNOHANG)) == 0) {
        if (clock_mono_ms() >= until_ms)
            return timed_out(err);
        if (!creds_pause(stop, REAP_STEP_MS, err))
            return false;
    }
    if (got < 0)
        return err_set(err, ERR_INTERNAL, true, HERE, "the command's end cannot be waited for: %s", strerror(errno));
    (void)kill(-c->pid, SIGKILL); /* what it may have left running */
    c->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status))
        return err_set(err, ERR_UPSTREAM, true, HERE,
                       "the command failed with exit status %d; run it by hand to see why", WEXITSTATUS(status));
    return err_set(err, ERR_UPSTREAM, true, HERE, "the command was ended by signal %d", WTERMSIG(status));
}

bool creds_process(struct creds_shared *shared, struct span command, struct creds *out, struct err *err)
{
    const struct creds_stop stop = creds_stop_of(&shared->settings);
    const int64_t until_ms = clock_mono_ms() + TIMEOUT_MS;
    AUTO(child_done) struct child child = { .output = -1 };
    AUTO(buf_wipe) struct buf text = { 0 };
    AUTO(buf_wipe) struct buf printed = { 0 };
    struct err cause = { 0 };
    size_t count;

    buf_init(&text, MAX_COMMAND + MAX_WORDS);
    buf_init(&printed, CREDS_HTTP_MAX_BODY);
    if (!buf_room(&printed, CREDS_HTTP_MAX_BODY)) /* at once: what grows leaves copies of secrets behind */
        return err_memory(err, HERE);
    if (!creds_split_command(command, &text, &count, err) || !start(&child, &text, count, err) ||
        !read_all(&child, &stop, until_ms, &printed, err) || !reap(&child, &stop, until_ms, err))
        return false;
    if (creds_json_read(CREDS_JSON_PROCESS, buf_view(&printed), out, &cause))
        return true;
    return creds_blame(err, &cause, "what the command printed");
}
