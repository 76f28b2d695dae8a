/* Fields, parameters and the mapping of errors: on a request without a connection. */
#include "server/http/internal.h"

#include "server/base/log.h"
#include "tests/support/test.h"

#include <string.h>
#include <unistd.h>

static struct http_server server;

/* A request to target with no headers and no body. */
static struct request *make(const char *target)
{
    struct request *rq = request_new(&server, target);
    struct err err = { 0 };

    if (!CHECK(rq != NULL) || !CHECK(query_parse(rq->raw_query, &rq->query, &err)))
        abort();
    strcpy(rq->method, "GET");
    request_name(rq);
    return rq;
}

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);

    if (!CHECK(value != NULL))
        abort();
    return value;
}

static bool says(struct request *rq, const char *piece)
{
    bool found = strstr(buf_cstr(&rq->reply.body), piece) != NULL;

    if (!found)
        CHECK_TEXT(buf_cstr(&rq->reply.body), piece);
    return found;
}

/* The problem in the reply is JSON with these members; `errors` counted. */
static void check_problem(struct request *rq, int status, const char *code, size_t errors)
{
    json_t *problem = json_loadb(rq->reply.body.data, rq->reply.body.len, 0, NULL);

    CHECK_I64(rq->reply.status, status);
    CHECK_TEXT(rq->reply.type, "application/problem+json");
    if (CHECK(problem != NULL)) {
        char type[100] = "urn:vidbatch:problem:";
        CHECK_TEXT(json_string_value(json_object_get(problem, "code")), code);
        CHECK_TEXT(json_string_value(json_object_get(problem, "type")), strcat(type, code));
        CHECK_I64(json_integer_value(json_object_get(problem, "status")), status);
        CHECK_TEXT(json_string_value(json_object_get(problem, "instance")), rq->target);
        CHECK(json_string_length(json_object_get(problem, "title")) > 0);
        CHECK(json_string_length(json_object_get(problem, "detail")) > 0);
        CHECK_I64(json_array_size(json_object_get(problem, "errors")), errors);
    }
    json_decref(problem);
}

static void getters_take_values(void)
{
    static const char *const words[] = { "new", "all", NULL };
    struct request *rq = make("/x");
    json_t *o =
        load("{\"t\":\"\xC3\xBC\",\"i\":-3,\"f\":0.5,\"g\":2,\"b\":true,\"w\":\"all\",\"o\":{\"k\":1},\"a\":[1],"
             "\"n\":null}");
    struct fields f;
    struct fields nested;
    struct span text = { 0 };
    int64_t i = 0;
    double d = 0;
    bool b = false;
    int w = 7;
    json_t *inner = NULL;

    fields_begin(&f, rq, &rq->reply, o);
    CHECK(fields_text(&f, "t", true, 1, 2, &text));
    CHECK_SPAN(text, "\xC3\xBC");
    CHECK(fields_i64(&f, "i", true, -3, 3, &i));
    CHECK_I64(i, -3);
    CHECK(fields_f64(&f, "f", true, 0, 1, &d));
    CHECK(d == 0.5);
    CHECK(fields_f64(&f, "g", true, 0, 2, &d));
    CHECK(d == 2);
    CHECK(fields_bool(&f, "b", true, &b));
    CHECK(b);
    CHECK(fields_word(&f, "w", true, words, &w));
    CHECK_I64(w, 1);
    CHECK(fields_member(&f, "a", true, JSON_ARRAY) != NULL);
    inner = fields_member(&f, "o", true, JSON_OBJECT);
    CHECK(inner != NULL);
    fields_nested(&nested, &f, "o", inner);
    CHECK(fields_i64(&nested, "k", true, 1, 1, &i));
    fields_end_nested(&nested, &f);
    i = 5;
    CHECK(!fields_i64(&f, "n", false, 0, 9, &i));
    CHECK(!fields_i64(&f, "absent", false, 0, 9, &i));
    CHECK_I64(i, 5);
    CHECK(!fields_text(&f, "absent2", false, 0, 9, &text));
    CHECK(!text.ptr);
    CHECK(fields_end(&f));
    CHECK_I64(rq->reply.status, 200);
    json_decref(o);
    request_free(rq);
}

enum getter { TEXT, I64, F64, BOOL, WORD, OBJECT, ARRAY };

static void use_getter(struct fields *f, enum getter getter, const char *name)
{
    static const char *const words[] = { "new", "all", NULL };
    struct span text;
    int64_t i;
    double d;
    bool b;
    int w;

    switch (getter) {
    case TEXT:
        CHECK(!fields_text(f, name, true, 2, 3, &text));
        break;
    case I64:
        CHECK(!fields_i64(f, name, true, 1, 3, &i));
        break;
    case F64:
        CHECK(!fields_f64(f, name, true, 0, 1, &d));
        break;
    case BOOL:
        CHECK(!fields_bool(f, name, true, &b));
        break;
    case WORD:
        CHECK(!fields_word(f, name, true, words, &w));
        break;
    case OBJECT:
        CHECK(!fields_member(f, name, true, JSON_OBJECT));
        break;
    case ARRAY:
        CHECK(!fields_member(f, name, true, JSON_ARRAY));
        break;
    }
}

static void getters_refuse(void)
{
    static const struct {
        enum getter getter;
        const char *json, *says;
    } cases[] = {
        { TEXT, "{}", "required" },
        { TEXT, "{\"x\":null}", "required" },
        { TEXT, "{\"x\":1}", "string" },
        { TEXT, "{\"x\":\"a\"}", "2 to 3 bytes" },
        { TEXT, "{\"x\":\"abcd\"}", "4" },
        { I64, "{}", "required" },
        { I64, "{\"x\":0}", "1 to 3" },
        { I64, "{\"x\":4}", "1 to 3" },
        { I64, "{\"x\":2.0}", "whole" },
        { I64, "{\"x\":\"2\"}", "whole" },
        { F64, "{\"x\":1.01}", "0 to 1" },
        { F64, "{\"x\":-0.1}", "0 to 1" },
        { F64, "{\"x\":\"1\"}", "number" },
        { BOOL, "{\"x\":0}", "true or false" },
        { WORD, "{\"x\":\"New\"}", "\\\"new\\\", \\\"all\\\"" },
        { WORD, "{\"x\":1}", "one of" },
        { OBJECT, "{\"x\":[]}", "object" },
        { ARRAY, "{\"x\":{}}", "array" },
        { ARRAY, "{}", "required" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *rq = make("/x");
        json_t *o = load(cases[i].json);
        struct fields f;

        test_case("%zu %s", i, cases[i].json);
        fields_begin(&f, rq, &rq->reply, o);
        use_getter(&f, cases[i].getter, "x");
        CHECK(!fields_end(&f));
        check_problem(rq, 422, "invalid_fields", 1);
        CHECK(says(rq, "\"pointer\":\"/x\""));
        CHECK(says(rq, cases[i].says));
        json_decref(o);
        request_free(rq);
    }
}

static void pointers_are_escaped_and_all_told(void)
{
    struct request *rq = make("/x");
    json_t *o = load("{\"a/b\":{\"~c\":1,\"d\\\"\":2,\"known\":true},\"zz\":1}");
    struct fields f;
    struct fields nested;
    struct fields deeper;
    bool b = false;

    fields_begin(&f, rq, &rq->reply, o);
    fields_nested(&nested, &f, "a/b", fields_member(&f, "a/b", true, JSON_OBJECT));
    CHECK(!fields_bool(&nested, "~c", false, &b));
    CHECK(fields_bool(&nested, "known", false, &b));
    fields_refuse(&nested, "known", "Not with %s.", "this");
    fields_nested(&deeper, &nested, "gone", fields_member(&nested, "gone", false, JSON_OBJECT));
    CHECK(!fields_bool(&deeper, "x", true, &b)); /* what is absent as a whole lacks no member */
    fields_end_nested(&deeper, &nested);
    fields_end_nested(&nested, &f);
    CHECK(!fields_end(&f));
    check_problem(rq, 422, "invalid_fields", 4);
    CHECK(says(rq, "\"/a~1b/~0c\""));
    CHECK(says(rq, "\"/a~1b/known\",\"detail\":\"Not with this.\""));
    CHECK(says(rq, "\"/a~1b/d\\\"\""));
    CHECK(says(rq, "\"/zz\""));
    json_decref(o);
    request_free(rq);
}

static void many_unknown_members_are_cut(void)
{
    struct request *rq = make("/x");
    json_t *o = json_object();
    struct fields f;

    for (int i = 0; i < 3000; i++) {
        char name[300];
        (void)snprintf(name, sizeof name, "%0290d", i);
        (void)json_object_set_new(o, name, json_true());
    }
    fields_begin(&f, rq, &rq->reply, o);
    CHECK(!fields_end(&f));
    CHECK_I64(f.count, 3000);
    check_problem(rq, 422, "invalid_fields", MAX_FIELD_ERRORS);
    json_decref(o);
    request_free(rq);
}

static void limits_are_bounded(void)
{
    static const struct {
        const char *target;
        int limit; /* 0: refused */
    } cases[] = {
        { "/x", 50 },
        { "/x?limit=1", 1 },
        { "/x?limit=1000", 1000 },
        { "/x?limit=0", 0 },
        { "/x?limit=1001", 0 },
        { "/x?limit=-1", 0 },
        { "/x?limit=", 0 },
        { "/x?limit=1e2", 0 },
        { "/x?limit=+5", 0 },
        { "/x?limit=99999999999999999999", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *rq = make(cases[i].target);
        int limit = 0;

        test_case("%s", cases[i].target);
        CHECK(rq_limit(rq, &rq->reply, &limit) == (cases[i].limit > 0));
        CHECK_I64(limit, cases[i].limit);
        if (cases[i].limit == 0)
            check_problem(rq, 400, "invalid_parameter", 1);
        request_free(rq);
    }
}

static void queries_are_checked(void)
{
    static const char *const allowed[] = { "limit", "q", NULL };
    static const char *const none[] = { NULL };
    static const struct {
        const char *target, *code;
    } cases[] = {
        { "/x", NULL },
        { "/x?limit=1&q=%20", NULL },
        { "/x?Limit=1", "unknown_parameter" },
        { "/x?q=1&q=1", "duplicate_parameter" },
        { "/x?q=1&%71=2", "duplicate_parameter" },
        { "/x?=1", "unknown_parameter" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *rq = make(cases[i].target);

        test_case("%s", cases[i].target);
        CHECK(rq_check_query(rq, &rq->reply, allowed) == (cases[i].code == NULL));
        if (cases[i].code)
            check_problem(rq, 400, cases[i].code, 1);
        CHECK(rq_check_query(rq, &rq->reply, none) == (i == 0));
        request_free(rq);
    }
}

static void cursors_are_checked(void)
{
    struct request *rq = make("/x?limit=2&after=Zm9yZ2Vk&q=a%20b");
    struct json_writer w = json_writer_on(reply_body(&rq->reply));
    char next[300];
    char target[400];
    bool has = true;
    int64_t after = 0;

    CHECK(!rq_cursor_i64(rq, &rq->reply, "jobs", &has, &after));
    CHECK(!has);
    check_problem(rq, 400, "bad_cursor", 1);
    buf_reset(reply_body(&rq->reply));
    json_begin_object(&w);
    reply_next_i64(rq, &rq->reply, &w, true, "jobs", 41);
    json_end_object(&w);
    CHECK_I64(sscanf(buf_cstr(&rq->reply.body), "{\"next\":\"%299[^\"]\"}", next), 1);
    CHECK(strstr(rq->reply.headers.data + 5, "</x?limit=2&q=a%20b&after=") != NULL);
    CHECK(strstr(rq->reply.headers.data + 5, next) != NULL);
    request_free(rq);

    (void)snprintf(target, sizeof target, "/x?after=%s", next);
    rq = make(target);
    CHECK(rq_cursor_i64(rq, &rq->reply, "jobs", &has, &after));
    CHECK(has);
    CHECK_I64(after, 41);
    CHECK(!rq_cursor_i64(rq, &rq->reply, "videos", &has, &after));
    request_free(rq);

    /* A changed cursor is refused or is another good one: never anything else. */
    for (size_t i = 0; next[i]; i++) {
        target[strlen("/x?after=") + i]++;
        rq = make(target);
        if (!rq_cursor_i64(rq, &rq->reply, "jobs", &has, &after))
            check_problem(rq, 400, "bad_cursor", 1);
        request_free(rq);
        target[strlen("/x?after=") + i]--;
    }
    rq = make("/x");
    CHECK(rq_cursor_i64(rq, &rq->reply, "jobs", &has, &after));
    CHECK(!has);
    request_free(rq);
}

static const struct {
    struct err err;
    int status;
    const char *code, *shown, *hidden, *header;
} mapped[] = {
    { { .kind = ERR_INPUT, .what = "rule" }, 400, "invalid_request", "rule", NULL, NULL },
    { { .kind = ERR_INPUT, .what = "rule", .code = "below_minimum" }, 400, "below_minimum", "rule", NULL, NULL },
    { { .kind = ERR_NOT_FOUND, .what = "job" }, 404, "not_found", "job", NULL, NULL },
    { { .kind = ERR_CONFLICT, .what = "busy" }, 409, "conflict", "busy", NULL, NULL },
    { { .kind = ERR_CONFLICT, .what = "table x", .code = "unique_violation" }, 409, "conflict", NULL, "table x", NULL },
    { { .kind = ERR_DENIED, .what = "key" }, 403, "access_denied", "key", NULL, NULL },
    { { .kind = ERR_DENIED,
        .what = "s3",
        .upstream_code = "AccessDenied",
        .upstream_message = "no \"you\"",
        .upstream_request_id = "R1" },
      502,
      "access_denied",
      "\"upstream\":{\"code\":\"AccessDenied\",\"message\":\"no \\\"you\\\"\",\"request_id\":\"R1\"}",
      NULL,
      NULL },
    { { .kind = ERR_BUSY, .what = "slow", .retry_after_ms = 2001 }, 503, "busy", "slow", NULL, "3" },
    { { .kind = ERR_TIMEOUT, .what = "late" }, 504, "timeout", "late", NULL, NULL },
    { { .kind = ERR_UPSTREAM, .what = "odd" }, 502, "upstream_failed", "odd", NULL, NULL },
    { { .kind = ERR_DATABASE, .what = "secret", .retryable = true }, 503, "database_unavailable", NULL, "secret", "1" },
    { { .kind = ERR_DATABASE, .what = "secret" }, 503, "database_unavailable", NULL, "secret", NULL },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "query_timeout", .retryable = true },
      503,
      "query_timeout",
      NULL,
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "lock_timeout", .retryable = true },
      503,
      "being_changed",
      NULL,
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "database_read_only", .retryable = true },
      503,
      "database_read_only",
      "read only",
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "database_full", .retryable = true },
      503,
      "database_full",
      "no room",
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "database_busy", .retryable = true },
      503,
      "database_busy",
      NULL,
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "deadlock", .retryable = true },
      503,
      "being_changed",
      NULL,
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "commit_unknown", .retryable = true },
      503,
      "commit_unknown",
      "may be stored or not",
      "secret",
      "1" },
    { { .kind = ERR_DATABASE, .what = "secret", .code = "connection_lost", .retryable = true },
      503,
      "database_unavailable",
      NULL,
      "secret",
      "1" },
    { { .kind = ERR_CANCELLED, .what = "x" }, 503, "shutting_down", NULL, NULL, "1" },
    { { .kind = ERR_MEMORY, .what = "secret" }, 503, "out_of_memory", NULL, "secret", "1" },
    { { .kind = ERR_INTERNAL, .what = "secret", .code = "secret_code" }, 500, "internal", NULL, "secret", NULL },
    { { .kind = ERR_NONE }, 500, "internal", NULL, NULL, NULL },
};

static void links_are_safe(void)
{
    struct request *rq = make("/a%20b<c>\"\t\x7f\xC3\xBC?q=%22%3E");
    struct json_writer w = json_writer_on(reply_body(&rq->reply));

    json_begin_object(&w);
    reply_next_text(rq, &rq->reply, &w, true, "k", SPAN_LIT("v"));
    json_end_object(&w);
    CHECK_TEXT(rq->reply.headers.data, "Link");
    CHECK_TEXT(rq->reply.headers.data + 5, "</a%20b%3Cc%3E%22%09%7F%C3%BC?q=%22%3E&after=azp2>; rel=\"next\"");
    request_free(rq);
}

static void errors_become_problems(void)
{
    for (size_t i = 0; i < sizeof mapped / sizeof mapped[0]; i++) {
        struct request *rq = make("/x");

        test_case("case %zu", i);
        buf_text(reply_body(&rq->reply), "half an answer");
        reply_error(rq, &rq->reply, &mapped[i].err);
        check_problem(rq, mapped[i].status, mapped[i].code, 0);
        if (mapped[i].shown)
            CHECK(says(rq, mapped[i].shown));
        if (mapped[i].hidden)
            CHECK(!strstr(rq->reply.body.data, mapped[i].hidden));
        CHECK((rq->reply.headers.len > 0) == (mapped[i].header != NULL));
        if (mapped[i].header && rq->reply.headers.len > 12) {
            CHECK_TEXT(rq->reply.headers.data, "Retry-After");
            CHECK_TEXT(rq->reply.headers.data + 12, mapped[i].header);
        }
        request_free(rq);
    }
}

static const struct test tests[] = {
    { "getters take values", getters_take_values },
    { "getters refuse", getters_refuse },
    { "pointers are escaped and all told", pointers_are_escaped_and_all_told },
    { "many unknown members are cut", many_unknown_members_are_cut },
    { "limits are bounded", limits_are_bounded },
    { "queries are checked", queries_are_checked },
    { "cursors are checked", cursors_are_checked },
    { "links are safe", links_are_safe },
    { "errors become problems", errors_become_problems },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/fields", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
