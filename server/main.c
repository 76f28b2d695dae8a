/* vidbatchd: the command line, signals, and nothing else. */
#include "handlers/app.h"
#include "server/app.h"
#include "server/base/log.h"
#include "server/config.h"
#include "server/doctor_cli.h"
#include "server/health.h"
#include "server/iam_cli.h"
#include "server/key_cli.h"
#include "server/show_credentials.h"
#include "server/work/causes.h"

#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { OTHER_FILES = 1024 /* databases, AWS, files */ };

static const char usage[] =
    "vidbatchd " VIDBATCH_VERSION
    ": video summaries from Amazon S3 into PostgreSQL through Amazon Bedrock batch inference\n"
    "\n"
    "  vidbatchd              serve, until SIGTERM or SIGINT (a second one quits at once); SIGHUP reads the "
    "certificate\n"
    "                         again\n"
    "  vidbatchd migrate      bring the database to this version's schema\n"
    "  vidbatchd health       ask the running service (VIDBATCH_LISTEN) whether it lives; exit status 0 if so\n"
    "  vidbatchd credentials  say which AWS credentials and Region are found, and where; exit status 1 if none are\n"
    "  vidbatchd doctor       look whether AWS, the settings and the database let the service work; --json\n"
    "  vidbatchd iam-policy   print the IAM policies of the service and of the service role, filled in\n"
    "  vidbatchd key          make, list and revoke API keys, straight in the database; without more words: how\n"
    "  vidbatchd routes       list the HTTP routes, and who may call each: public, or the scope that a key needs\n"
    "  vidbatchd settings     list the settings as a Markdown table\n"
    "  vidbatchd causes       list the causes of failures, with their remedies, as docs/failures.md\n"
    "  vidbatchd --check      judge the settings and show them, secrets hidden\n"
    "  vidbatchd --version\n"
    "  vidbatchd --help\n"
    "\nSettings are environment variables:\n";

static const char *lookup(const char *name)
{
    return getenv(name);
}

static int print(struct buf *text)
{
    fwrite(text->data, 1, text->len, stdout);
    buf_done(text);
    return 0;
}

static int show_help(void)
{
    struct buf text = { .max = 65536 };

    buf_text(&text, usage);
    config_describe(&text, false);
    return print(&text);
}

static int show_settings(void)
{
    struct buf text = { .max = 65536 };

    config_describe(&text, true);
    return print(&text);
}

static int show_causes(void)
{
    struct buf text = { .max = 1024 * 1024 };

    causes_markdown(&text);
    return print(&text);
}

static int show_routes(void)
{
    static const char *const levels[] = {
        [ACCESS_PUBLIC] = "public", [ACCESS_READ] = "read", [ACCESS_RUN] = "run", [ACCESS_ADMIN] = "admin"
    };
    size_t count;
    const struct route *routes = handlers_routes(&count);

    for (size_t i = 0; i < count; i++)
        printf("%s %s %s\n", routes[i].method, routes[i].path, levels[routes[i].access]);
    return 0;
}

static void setup_log(const struct config *config)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    enum log_level level = LOG_INFO_LEVEL;

    for (int i = 0; i < 4; i++)
        if (strcmp(config->log_level, levels[i]) == 0)
            level = (enum log_level)i;
    log_setup(level, strcmp(config->log_format, "json") == 0, STDERR_FILENO);
}

static int check(const struct config *config)
{
    struct buf text = { .max = 65536 };

    config_show(config, &text);
    print(&text);
    config_missing_for_jobs(config, &text);
    if (text.len)
        printf("\nThe settings are valid. Jobs cannot be launched until these are set: %s\n", buf_cstr(&text));
    else
        printf("\nThe settings are valid.\n");
    buf_done(&text);
    return 0;
}

static int migrate(const struct config *config)
{
    struct err err = { 0 };
    int applied;
    bool newer;

    if (!app_migrate(config, &applied, &newer, &err)) {
        fprintf(stderr, "vidbatchd: %s\n", err.what);
        return 1;
    }
    printf("%d migrations applied%s\n", applied, newer ? "; the database is of a newer version" : "");
    return 0;
}

/* The second signal ends the process at once: leases run out, nothing is lost. */
static void quit_now(int number)
{
    (void)number;
    _exit(130);
}

/* Many systems let a process open 1,024 files unless it asks for more. */
static void raise_open_files(const struct config *config)
{
    const rlim_t needed = (rlim_t)config->max_connections + OTHER_FILES;
    struct rlimit files = { 0 };

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needed)
        return;
    files.rlim_cur = files.rlim_max < needed ? files.rlim_max : needed;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < needed)
        log_warn("start.few_files",
                 "open_files=%llu wanted=%llu note='connections may be refused before VIDBATCH_MAX_CONNECTIONS'",
                 (unsigned long long)files.rlim_cur, (unsigned long long)needed);
}

static void pause_ms(int64_t ms)
{
    struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static int serve(const struct config *config)
{
    struct err err = { 0 };
    struct app *app;
    sigset_t signals;
    int number;

    /* before any thread starts, so that all inherit it */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_open_files(config);
    if (!app_start(config, &app, &err)) {
        log_error("start.failed", "at=%s cause=%s", err.where ? err.where : "", LOGQ(err.what));
        return 1;
    }
    log_info("start.listening", "url=http%s://%s:%d version=%s", config->tls_cert[0] ? "s" : "", config->host,
             app_port(app), VIDBATCH_VERSION);
    while (sigwait(&signals, &number) == 0 && number == SIGHUP)
        app_reload(app);
    log_info("stop.begins", "signal=%d", number);
    signal(SIGTERM, quit_now);
    signal(SIGINT, quit_now);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    app_drain(app);
    pause_ms(config->drain_delay_ms);
    if (!app_stop(app)) {
        log_warn("stop.done", "signal=%d note='threads were left; leases run out by themselves'", number);
        _exit(0); /* nothing may be taken from under them */
    }
    log_info("stop.done", "signal=%d", number);
    return 0;
}

/* What works with AWS, or judges whether it could. */
static int run_with_region(struct config *config, const char *command)
{
    struct err err = { 0 };

    if (!config_find_region(config, &err)) {
        fprintf(stderr, "vidbatchd: %s\n", err.what);
        return command && strcmp(command, "credentials") == 0 ? 1 : 2;
    }
    if (!command)
        return serve(config);
    return strcmp(command, "credentials") == 0 ? show_credentials(config) : check(config);
}

static int run(struct config *config, const char *command)
{
    if (command && strcmp(command, "migrate") == 0)
        return migrate(config);
    if (command && strcmp(command, "health") == 0)
        return health_ask(config->host, config->port, config->port_file, config->tls_cert[0] != '\0');
    return run_with_region(config, command);
}

static bool is_command(const char *word)
{
    static const char *const commands[] = { "migrate", "health", "credentials", "--check" };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(word, commands[i]) == 0)
            return true;
    return false;
}

static bool needs_database(const char *command)
{
    return !command || strcmp(command, "migrate") == 0 || strcmp(command, "--check") == 0;
}

/* All that is wrong is said at once. */
static bool read_config(struct config *config, const char *command)
{
    AUTO(buf_done) struct buf problems = { .max = 65536 };
    bool ok = config_read(config, lookup, &problems);

    if (needs_database(command) && !config_require_database(config, &problems))
        ok = false;
    if (!ok)
        fprintf(stderr, "vidbatchd: these settings are wrong:\n%s", buf_cstr(&problems));
    return ok;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : NULL;
    struct config config;
    int status;

    if (command && strcmp(command, "doctor") == 0)
        return doctor_cli(argc - 2, argv + 2, lookup);
    if (command && strcmp(command, "iam-policy") == 0)
        return iam_cli(argc - 2, argv + 2, lookup);
    if (command && strcmp(command, "key") == 0)
        return key_cli(argc - 2, argv + 2, lookup);
    if (argc > 2 || (command && !is_command(command))) {
        if (argc == 2 && strcmp(command, "--version") == 0)
            return printf("vidbatchd %s\n", VIDBATCH_VERSION) < 0;
        if (argc == 2 && strcmp(command, "--help") == 0)
            return show_help();
        if (argc == 2 && strcmp(command, "settings") == 0)
            return show_settings();
        if (argc == 2 && strcmp(command, "causes") == 0)
            return show_causes();
        if (argc == 2 && strcmp(command, "routes") == 0)
            return show_routes();
        fprintf(stderr, "vidbatchd: no such command: %s; try vidbatchd --help\n", argv[argc - 1]);
        return 2;
    }
    if (!read_config(&config, command)) {
        config_done(&config);
        return 2;
    }
    /* many short-lived threads' worth of arenas would cost more memory than they save time */
    mallopt(M_ARENA_MAX, 2);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "vidbatchd: libcurl does not start; is there memory?\n");
        config_done(&config);
        return 1;
    }
    setup_log(&config);
    status = run(&config, command);
    curl_global_cleanup();
    config_done(&config);
    return status;
}
