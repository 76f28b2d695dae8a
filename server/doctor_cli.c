#include "server/doctor_cli.h"

#include "aws/client.h"
#include "aws/s3.h"
#include "server/app.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/doctor.h"
#include "sql/db.h"
#include "sql/migrate.h"
#include "sql/prefix_store.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX_BYTES = 1024 * 1024, DATABASE_MS = 5000 };

struct wanted {
    bool as_json;
    struct doctor_place places[DOCTOR_MAX_PLACES];
    size_t place_count;
};

static bool refuse(const char *argument, const char *why)
{
    fprintf(stderr, "vidbatchd doctor: %s: %s; usage: %s\n", argument, why, DOCTOR_CLI_USAGE);
    return false;
}

static bool read_arguments(int count, char **arguments, struct wanted *out)
{
    for (int i = 0; i < count; i++) {
        struct doctor_place *place = &out->places[out->place_count];
        struct err err = { 0 };

        if (strcmp(arguments[i], "--json") == 0) {
            out->as_json = true;
            continue;
        }
        if (out->place_count == DOCTOR_MAX_PLACES)
            return refuse(arguments[i], "five prefixes at a time are the most");
        if (!s3_parse_uri(span_of(arguments[i]), &place->bucket, &place->prefix, &err))
            return refuse(arguments[i], "it is no s3://bucket/prefix");
        out->place_count++;
    }
    return true;
}

/* ---- the database ---- */

static void judge_schema(const struct config *config, struct doctor_report *report, int database, int build)
{
    struct doctor_check *check =
        doctor_add(report, "database", "It answers; its schema is version %d, this program's is %d.", database, build);

    if (database < build && !config->migrate_on_start)
        doctor_mark(check, DOCTOR_PROBLEM, "Run vidbatchd migrate, or set VIDBATCH_MIGRATE_ON_START=true.");
    else if (database < build)
        snprintf(check->sentence, sizeof check->sentence,
                 "It answers; its schema is version %d, and will be brought to %d at the next start.", database, build);
}

/* The first of the registered prefixes, where none were named. The rows keep their texts. */
static void find_places(struct db *db, struct db_rows *rows, struct wanted *wanted, struct doctor_report *report)
{
    struct prefix_row row = { 0 };
    struct err err = { 0 };

    if (wanted->place_count)
        return;
    if (!prefix_store_list(db, 0, NULL, DOCTOR_MAX_PLACES + 1, rows, &err)) {
        doctor_mark(doctor_add(report, "prefixes", "The registered prefixes cannot be read: %s", err.what),
                    DOCTOR_CANNOT_KNOW, "Name one: %s", DOCTOR_CLI_USAGE);
        return;
    }
    for (int i = 0; i < rows->count && i < DOCTOR_MAX_PLACES; i++) {
        prefix_row_read(rows, i, &row);
        wanted->places[wanted->place_count++] =
            (struct doctor_place){ span_of(row.bucket), span_of(row.key_prefix), span_of(row.bucket_owner) };
    }
    if (rows->count == 0)
        doctor_mark(doctor_add(report, "prefixes", "No prefix is registered yet, so none is looked at."),
                    DOCTOR_CANNOT_KNOW, "Name one: %s", DOCTOR_CLI_USAGE);
    else
        (void)doctor_add(report, "prefixes", "%s registered prefixes are looked at.",
                         rows->count > DOCTOR_MAX_PLACES ? "The first five of the" : "All");
}

static void check_database(const struct config *config, struct db_rows *rows, struct wanted *wanted,
                           struct doctor_report *report)
{
    const struct db_options options = { .url = config->database_url,
                                        .statement_timeout_ms = DATABASE_MS,
                                        .lock_timeout_ms = DATABASE_MS,
                                        .application_name = "vidbatchd doctor" };
    AUTO(buf_done) struct buf missing = { .max = 1024 };
    const bool is_named = config_require_database(config, &missing);
    struct err err = { 0 };
    struct db *db = is_named ? db_open(&options, &err) : NULL;
    int database = 0, build = 0;

    if (!is_named)
        doctor_mark(doctor_add(report, "database", "No database is named."), DOCTOR_PROBLEM,
                    "Set VIDBATCH_DATABASE_URL, such as postgresql://localhost/vidbatch.");
    else if (!db || !migrate_status(db, &database, &build, &err))
        doctor_mark(doctor_add(report, "database", "It cannot be used: %s", err.what), DOCTOR_PROBLEM,
                    "Look at VIDBATCH_DATABASE_URL, and whether PostgreSQL runs and lets this user in.");
    else
        judge_schema(config, report, database, build);
    if (db && err.kind == ERR_NONE && database > 0)
        find_places(db, rows, wanted, report);
    db_close(db);
}

/* ---- AWS ---- */

static void cannot_start(struct doctor_report *report, const struct err *err)
{
    doctor_mark(doctor_add(report, "aws", "The AWS client cannot be set up: %s", err->what), DOCTOR_PROBLEM,
                "Correct the setting, or the profile, that is named.");
}

/* With a Region. */
static void check_aws(const struct config *config, const struct wanted *wanted, struct doctor_report *report)
{
    const struct aws_options options = config_aws_options(config);
    const struct model_settings model_settings = config_model_settings(config);
    AUTO(buf_done) struct buf missing = { .max = 1024 };
    struct doctor_settings settings;
    const char *at_fault = "";
    struct err err = { 0 };
    struct models *models = models_start(config->models_file, &model_settings, &at_fault, &err);
    struct aws *aws = models ? aws_new(&options, &err) : NULL;
    struct doctor *doctor = NULL;

    config_missing_for_jobs(config, &missing);
    if (aws) {
        settings = app_doctor_settings(config, models, aws_region(aws), buf_cstr(&missing));
        doctor = doctor_new(&settings, aws, &err);
    }
    if (!doctor || !doctor_examine(doctor, wanted->places, wanted->place_count, report, &err))
        cannot_start(report, &err);
    doctor_free(doctor);
    aws_free(aws);
    models_free(models);
}

/* ---- the whole ---- */

/* A finding for each line. */
static void report_settings(struct buf *problems, struct doctor_report *report)
{
    struct span rest = buf_view(problems);

    while (rest.len) {
        const struct span line = span_head(rest, span_find(rest, '\n'));

        doctor_mark(doctor_add(report, "settings", "%.*s", SPAN_ARG(span_head(line, 1000))), DOCTOR_PROBLEM,
                    "Correct it in the service's environment; vidbatchd --help lists all settings.");
        rest = span_tail(rest, line.len + 1);
    }
}

static int print(const struct wanted *wanted, const struct doctor_report *report)
{
    AUTO(buf_done) struct buf text = { .max = OUTPUT_MAX_BYTES };
    struct json_writer w = json_writer_on(&text);

    if (wanted->as_json) {
        json_begin_object(&w);
        doctor_json(report, &w);
        json_end_object(&w);
        buf_char(&text, '\n');
    } else {
        doctor_text(report, &text);
    }
    fwrite(text.data, 1, text.len, stdout);
    return doctor_has_problem(report) ? 1 : 0;
}

int doctor_cli(int count, char **arguments, config_lookup_fn *lookup)
{
    AUTO(buf_done) struct buf problems = { .max = 65536 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct wanted wanted = { 0 };
    struct config config;
    struct doctor_report *report;
    struct err err = { 0 };
    int status;

    if (!read_arguments(count, arguments, &wanted))
        return 2;
    report = mem_alloc(1, sizeof *report);
    if (!report)
        return 2;
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO); /* what the log would say is in the report */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "vidbatchd: libcurl does not start; is there memory?\n");
        mem_free(report);
        return 2;
    }
    if (config_read(&config, lookup, &problems)) {
        check_database(&config, &rows, &wanted, report);
        if (config_find_region(&config, &err))
            check_aws(&config, &wanted, report);
        else
            doctor_mark(doctor_add(report, "region", "No Region is known: %s", err.what), DOCTOR_PROBLEM,
                        "Set AWS_REGION to the Region of Bedrock and the buckets.");
    } else {
        report_settings(&problems, report);
    }
    status = print(&wanted, report);
    config_done(&config);
    curl_global_cleanup();
    mem_free(report);
    return status;
}
