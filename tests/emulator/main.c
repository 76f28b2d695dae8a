/* vidbatch-emulator: a stand-in for Amazon S3 and Amazon Bedrock batch inference, for tests and demonstrations. */
#include "server/base/text.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/http.h"
#include "tests/emulator/iam.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/journal.h"
#include "tests/emulator/sessions.h"
#include "tests/emulator/store.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "vidbatch-emulator: stands in for Amazon S3 and Amazon Bedrock inference\n"
    "  --listen HOST:PORT         IPv4 address and port, port 0 picks one       127.0.0.1:0\n"
    "  --port-file PATH           the port is written here once it listens\n"
    "  --data DIR                 object bytes (emptied at start)               required\n"
    "  --access-key K             AKIDEXAMPLE\n"
    "  --secret-key S             secret\n"
    "  --session-token T          wanted with every request if given\n"
    "  --region R                 us-east-1\n"
    "  --account N                111122223333\n"
    "  --log FILE                 one JSON line per S3 and Bedrock request and per job\n"
    "  --job-seconds N            from Submitted to the end, fractions allowed  0\n"
    "  --min-records N            100\n"
    "  --max-records N            100000\n"
    "  --max-file-bytes N         1073741824\n"
    "  --max-job-bytes N          107374182400\n"
    "  --concurrent-jobs N        100\n"
    "  --token-seconds N          how long a clientRequestToken is known, fractions allowed   for ever\n"
    "  --free-names               a job that has ended frees its name\n"
    "  --role-arn-prefix P        other roles may not be passed\n"
    "  --create-bucket NAME       may be repeated\n"
    "  --synthetic bucket=NAME,count=N,prefix=P   computed keys P0000000.mp4 ...; may be repeated\n"
    "  --latency-ms N             before each answer                            0\n"
    "  --threads N                4\n";

static struct emulator emulator;

/* Everything that needs the store is kept until it is there. */
enum { MAX_BUCKETS = 64 };
static const char *buckets[MAX_BUCKETS];
static size_t bucket_count;
static const char *synthetics[MAX_BUCKETS];
static size_t synthetic_count;

static _Noreturn void refuse(const char *what, const char *value)
{
    fprintf(stderr, "vidbatch-emulator: %s: %s\n", what, value);
    exit(2);
}

static int64_t number(const char *text, const char *name)
{
    int64_t n = 0;

    if (!text_parse_i64(span_of(text), &n) || n < 0)
        refuse(name, text);
    return n;
}

static void read_listen(struct emu_config *config, char *text)
{
    char *colon = strrchr(text, ':');

    if (!colon)
        refuse("--listen wants HOST:PORT", text);
    *colon = '\0';
    config->listen_host = text;
    config->listen_port = (int)number(colon + 1, "--listen");
}

enum option_id {
    OPT_LISTEN = 256,
    OPT_PORT_FILE,
    OPT_DATA,
    OPT_ACCESS_KEY,
    OPT_SECRET_KEY,
    OPT_SESSION_TOKEN,
    OPT_REGION,
    OPT_ACCOUNT,
    OPT_LOG,
    OPT_JOB_SECONDS,
    OPT_MIN_RECORDS,
    OPT_MAX_RECORDS,
    OPT_MAX_FILE_BYTES,
    OPT_MAX_JOB_BYTES,
    OPT_CONCURRENT_JOBS,
    OPT_TOKEN_SECONDS,
    OPT_FREE_NAMES,
    OPT_ROLE_ARN_PREFIX,
    OPT_CREATE_BUCKET,
    OPT_SYNTHETIC,
    OPT_LATENCY_MS,
    OPT_THREADS,
    OPT_HELP
};

static const struct option options[] = {
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "port-file", required_argument, NULL, OPT_PORT_FILE },
    { "data", required_argument, NULL, OPT_DATA },
    { "access-key", required_argument, NULL, OPT_ACCESS_KEY },
    { "secret-key", required_argument, NULL, OPT_SECRET_KEY },
    { "session-token", required_argument, NULL, OPT_SESSION_TOKEN },
    { "region", required_argument, NULL, OPT_REGION },
    { "account", required_argument, NULL, OPT_ACCOUNT },
    { "log", required_argument, NULL, OPT_LOG },
    { "job-seconds", required_argument, NULL, OPT_JOB_SECONDS },
    { "min-records", required_argument, NULL, OPT_MIN_RECORDS },
    { "max-records", required_argument, NULL, OPT_MAX_RECORDS },
    { "max-file-bytes", required_argument, NULL, OPT_MAX_FILE_BYTES },
    { "max-job-bytes", required_argument, NULL, OPT_MAX_JOB_BYTES },
    { "concurrent-jobs", required_argument, NULL, OPT_CONCURRENT_JOBS },
    { "token-seconds", required_argument, NULL, OPT_TOKEN_SECONDS },
    { "free-names", no_argument, NULL, OPT_FREE_NAMES },
    { "role-arn-prefix", required_argument, NULL, OPT_ROLE_ARN_PREFIX },
    { "create-bucket", required_argument, NULL, OPT_CREATE_BUCKET },
    { "synthetic", required_argument, NULL, OPT_SYNTHETIC },
    { "latency-ms", required_argument, NULL, OPT_LATENCY_MS },
    { "threads", required_argument, NULL, OPT_THREADS },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

/* Options that say what the emulator is; false: not one of these. */
static bool take_identity(struct emu_config *c, int id, char *value)
{
    switch (id) {
    case OPT_LISTEN:
        read_listen(c, value);
        return true;
    case OPT_PORT_FILE:
        c->port_file = value;
        return true;
    case OPT_DATA:
        c->data_dir = value;
        return true;
    case OPT_ACCESS_KEY:
        c->access_key = value;
        return true;
    case OPT_SECRET_KEY:
        c->secret_key = value;
        return true;
    case OPT_SESSION_TOKEN:
        c->session_token = value;
        return true;
    case OPT_REGION:
        c->region = value;
        return true;
    case OPT_ACCOUNT:
        c->account = value;
        return true;
    case OPT_LOG:
        c->log_file = value;
        return true;
    case OPT_ROLE_ARN_PREFIX:
        c->role_arn_prefix = value;
        return true;
    default:
        return false;
    }
}

static void take_limit(struct emu_config *c, int id, const char *value)
{
    switch (id) {
    case OPT_JOB_SECONDS:
        c->job_ms = (int64_t)(strtod(value, NULL) * 1000);
        break;
    case OPT_MIN_RECORDS:
        c->min_records = number(value, "--min-records");
        break;
    case OPT_MAX_RECORDS:
        c->max_records = number(value, "--max-records");
        break;
    case OPT_MAX_FILE_BYTES:
        c->max_file_bytes = number(value, "--max-file-bytes");
        break;
    case OPT_MAX_JOB_BYTES:
        c->max_job_bytes = number(value, "--max-job-bytes");
        break;
    case OPT_CONCURRENT_JOBS:
        c->concurrent_jobs = number(value, "--concurrent-jobs");
        break;
    case OPT_TOKEN_SECONDS:
        c->token_ms = (int64_t)(strtod(value, NULL) * 1000);
        break;
    case OPT_FREE_NAMES:
        c->names_are_freed = true;
        break;
    case OPT_LATENCY_MS:
        c->latency_ms = number(value, "--latency-ms");
        break;
    case OPT_THREADS:
        c->threads = (int)number(value, "--threads");
        break;
    case OPT_CREATE_BUCKET:
        if (bucket_count < MAX_BUCKETS)
            buckets[bucket_count++] = value;
        break;
    case OPT_SYNTHETIC:
        if (synthetic_count < MAX_BUCKETS)
            synthetics[synthetic_count++] = value;
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        exit(2);
    }
}

static void read_options(struct emu_config *c, int argc, char **argv)
{
    int id = 0;

    *c = (struct emu_config){ .listen_host = "127.0.0.1",
                              .access_key = "AKIDEXAMPLE",
                              .secret_key = "secret",
                              .region = "us-east-1",
                              .account = "111122223333",
                              .min_records = 100,
                              .max_records = 100000,
                              .max_file_bytes = 1LL << 30,
                              .max_job_bytes = 100LL << 30,
                              .concurrent_jobs = 100,
                              .threads = 4 };
    while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_identity(c, id, optarg))
            take_limit(c, id, optarg);
    if (optind < argc)
        refuse("unknown argument", argv[optind]);
    if (!c->data_dir)
        refuse("missing option", "--data DIR");
    if (c->threads < 1 || c->threads > 64)
        refuse("--threads", "must be 1 to 64");
}

/* The value of the next "name=value" of a list; the last value, `prefix`, may hold commas. */
static struct span next_value(struct span *rest, struct span name)
{
    struct span value = { NULL, 0 };

    if (!span_starts(*rest, name))
        return value;
    value = span_tail(*rest, name.len);
    if (!span_eq_text(name, "prefix="))
        value = span_head(value, span_find(value, ','));
    *rest = span_tail(*rest, name.len + value.len + 1);
    return value;
}

/* bucket=NAME,count=N,prefix=P */
static void add_synthetic(struct emulator *emu, const char *text)
{
    struct span rest = span_of(text);
    struct span bucket = next_value(&rest, SPAN_LIT("bucket="));
    struct span count_text = next_value(&rest, SPAN_LIT("count="));
    struct span prefix = next_value(&rest, SPAN_LIT("prefix="));
    int64_t count = 0;

    if (bucket.len == 0 || !prefix.ptr || !text_parse_i64(count_text, &count) || count < 0)
        refuse("--synthetic wants bucket=NAME,count=N,prefix=P", text);
    store_set_synthetic(emu->store, bucket, emu->config.region, count, prefix, emu_now_ms(emu));
}

/* Written beside and renamed, so that a reader never sees half of it. */
static void write_port(const char *path, int port)
{
    char beside[4096];
    FILE *file = NULL;

    snprintf(beside, sizeof beside, "%s.new", path);
    file = fopen(beside, "we");
    if (!file || fprintf(file, "%d\n", port) < 0 || fclose(file) != 0 || rename(beside, path) != 0)
        emu_die(path);
}

int main(int argc, char **argv)
{
    struct emulator *emu = &emulator;
    struct http_server *server = NULL;
    sigset_t ends;
    int port = 0;
    int signal_number = 0;

    read_options(&emu->config, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    emu->journal = journal_new(emu->config.log_file);
    emu->store = store_new(emu->config.data_dir);
    emu->faults = faults_new();
    emu->sessions = sessions_new();
    emu->iam = iam_new();
    emu->jobs = jobs_new(emu);
    for (size_t i = 0; i < bucket_count; i++)
        (void)store_set_bucket(emu->store, span_of(buckets[i]), emu->config.region, false, emu_now_ms(emu));
    for (size_t i = 0; i < synthetic_count; i++)
        add_synthetic(emu, synthetics[i]);
    server = http_start(emu, &port);
    if (emu->config.port_file)
        write_port(emu->config.port_file, port);
    printf("vidbatch-emulator listens on http://%s:%d\n", emu->config.listen_host, port);
    fflush(stdout);
    sigwait(&ends, &signal_number);
    http_stop(server);
    jobs_stop(emu->jobs);
    return 0;
}
