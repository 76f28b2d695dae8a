/* The pure parsers and the router. */
#include "server/http/internal.h"

#include "tests/support/test.h"

#include <string.h>

static void splits_targets(void)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        { "/", "/", "" },
        { "/a?b=1", "/a", "b=1" },
        { "/a?b=1?c", "/a", "b=1?c" },
        { "/a?", "/a", "" },
        { "http://host:80/a/b?c", "/a/b", "c" },
        { "http://host?c", "/", "c" },
        { "http://host", "/", "" },
        { "/http://host/a", "/http://host/a", "" },
        { "*", "*", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span path = { 0 };
        struct span query = { 0 };

        test_case("%s", cases[i].target);
        target_split(span_of(cases[i].target), &path, &query);
        CHECK_SPAN(path, cases[i].path);
        CHECK_SPAN(query, cases[i].query);
    }
}

static void parses_paths(void)
{
    static const struct {
        const char *raw, *joined; /* segments joined by | ; NULL: refused */
    } cases[] = {
        { "/", "" },      { "/a", "a" },
        { "/a/", "a|" },  { "/a%2Fb/c+d", "a/b|c+d" },
        { "//a", "|a" },  { "/%C3%BC", "\xC3\xBC" },
        { "/%ff", NULL }, { "/a%00b", NULL },
        { "/%", NULL },   { "/%4", NULL },
        { "/%zz", NULL }, { "", NULL },
        { "a", NULL },    { "*", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct path path = { 0 };
        struct err err = { 0 };
        struct buf joined = { 0 };
        bool ok = path_parse(span_of(cases[i].raw), &path, &err);

        test_case("%s", cases[i].raw);
        CHECK(ok == (cases[i].joined != NULL));
        if (!ok)
            CHECK_TEXT(err.code, "bad_path");
        for (size_t k = 0; k < path.count; k++) {
            buf_text(&joined, k > 0 ? "|" : "");
            buf_span(&joined, path.segments[k]);
        }
        if (ok)
            CHECK_TEXT(buf_cstr(&joined), cases[i].joined);
        buf_done(&joined);
        path_done(&path);
    }
}

static void parses_queries(void)
{
    static const struct {
        const char *raw, *joined; /* name=value joined by | ; NULL: refused */
    } cases[] = {
        { "", "" },
        { "a=1&b=2", "a=1|b=2" },
        { "a=x+y%2Bz%26", "a=x y+z&" },
        { "&&a=&b&=c", "a=|b=|=c" },
        { "a=1&a=2", "a=1|a=2" },
        { "%61=%20", "a= " },
        { "a=b=c", "a=b=c" },
        { "a=%", NULL },
        { "a=%f0%28", NULL },
        { "%00", NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url_query query = { 0 };
        struct err err = { 0 };
        struct buf joined = { 0 };
        bool ok = query_parse(span_of(cases[i].raw), &query, &err);

        test_case("%s", cases[i].raw);
        CHECK(ok == (cases[i].joined != NULL));
        if (!ok)
            CHECK_TEXT(err.code, "bad_query");
        for (size_t k = 0; k < query.count; k++)
            buf_fmt(&joined, "%s%.*s=%.*s", k > 0 ? "|" : "", SPAN_ARG(query.params[k].name),
                    SPAN_ARG(query.params[k].value));
        if (ok)
            CHECK_TEXT(buf_cstr(&joined), cases[i].joined);
        buf_done(&joined);
        query_done(&query);
    }
}

static void bounds_paths_and_queries(void)
{
    char text[4 * QUERY_PARAMS + 8] = "";
    struct path path = { 0 };
    struct url_query query = { 0 };
    struct err err = { 0 };

    for (int i = 0; i <= PATH_SEGMENTS; i++)
        strcat(text, "/a");
    CHECK(path_parse(span_of(text), &path, &err));
    CHECK(path.too_deep);
    path_done(&path);
    text[0] = '\0';
    for (int i = 0; i < QUERY_PARAMS; i++)
        strcat(text, "a=1&");
    CHECK(query_parse(span_of(text), &query, &err));
    CHECK_I64(query.count, QUERY_PARAMS);
    CHECK(!query_get(&query, "b").ptr);
    query_done(&query);
    strcat(text, "a=1");
    CHECK(!query_parse(span_of(text), &query, &err));
    CHECK_TEXT(err.code, "bad_query");
}

static void chooses_by_accept(void)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "text/csv", NULL };
    static const struct {
        const char *accept;
        int want;
    } cases[] = {
        { "", 0 },
        { "*/*", 0 },
        { "application/json", 0 },
        { "TEXT/CSV", 2 },
        { "text/*", 2 },
        { "application/*", 0 },
        { "text/html", -1 },
        { "text/csv;q=0.5, application/json;q=0.4", 2 },
        { "text/csv;q=0.5, application/json", 0 },
        { "*/*;q=0.1, text/csv", 2 },
        { "*/*, application/json;q=0", 1 },
        { "application/*;q=0.2, application/x-ndjson;q=0.9", 1 },
        { "text/csv;q=0", -1 },
        { "*/*;q=0.000", -1 },
        { "text/csv;q=2", -1 },
        { "text/csv;q=0.12345", -1 },
        { "text/csv;q=, application/x-ndjson", 1 },
        { "text/csv;header=present;q=0.3", 2 },
        { "text/html;a=\"x,text/csv\", application/x-ndjson", 1 },
        { ",,;,/,*,text/csv", 2 },
        { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 0 },
        { "\"", -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].accept);
        CHECK_I64(accept_choose(span_of(cases[i].accept), types), cases[i].want);
    }
}

static void compares_etags(void)
{
    static const struct {
        const char *list;
        bool want;
    } cases[] = {
        { "", false },
        { "*", true },
        { " * ", true },
        { "\"abc\"", true },
        { "W/\"abc\"", true },
        { "\"x\", \"abc\"", true },
        { "\"x\"", false },
        { "\"abc", false },
        { "abc", false },
        { "\"x\",W/", false },
        { "\"a,b\",\"abc\"", true },
        { ",,\"abc\",", true },
        { "\"ABC\"", false },
        { "w/\"abc\"", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].list);
        CHECK(etag_listed(span_of(cases[i].list), SPAN_LIT("\"abc\"")) == cases[i].want);
    }
}

static void knows_content_types(void)
{
    static const struct {
        const char *value;
        bool want;
    } cases[] = {
        { "application/json", true },
        { "Application/JSON", true },
        { " application/json ; charset=utf-8", true },
        { "application/json; charset=\"UTF-8\"", true },
        { "application/json; charset=latin1", false },
        { "application/json; v=\"a;charset=x\"", true },
        { "application/jsonx", false },
        { "text/plain", false },
        { "", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].value);
        CHECK(content_type_is(span_of(cases[i].value), "application/json") == cases[i].want);
    }
}

static void cursors_come_back(void)
{
    static const char *const values[] = { "", "7", "-9223372036854775808", "a:b", "\xC3\xBC", "name with \" and \\" };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf text = { 0 };
        struct buf value = { 0 };

        test_case("%s", values[i]);
        cursor_encode(&text, "jobs", span_of(values[i]));
        CHECK(cursor_decode(&value, "jobs", buf_view(&text)));
        CHECK_TEXT(buf_cstr(&value), values[i]);
        CHECK(!cursor_decode(&value, "job", buf_view(&text)));
        CHECK(!cursor_decode(&value, "jobs:", buf_view(&text)));
        CHECK(!cursor_decode(&value, "videos", buf_view(&text)));
        CHECK_TEXT(buf_cstr(&value), values[i]);
        buf_done(&text);
        buf_done(&value);
    }
}

static void bad_cursors_are_refused(void)
{
    static const char *const bad[] = {
        "", "!", "am9icw", "am9iczo=", "am9iczo3 ", "Om9iczo3", "am9iczr_", "am9iczoA", "am9iczo3x", "=", "am9iczo",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf value = { 0 };
        bool is_empty_value = strcmp(bad[i], "am9iczo") == 0; /* "jobs:", a cursor whose text is empty */

        test_case("%s", bad[i]);
        CHECK(cursor_decode(&value, "jobs", span_of(bad[i])) == is_empty_value);
        buf_done(&value);
    }
}

static void handler(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)rp;
}

static void refuses_bad_tables(void)
{
    static const struct {
        struct route routes[2];
        const char *says; /* NULL: it is good */
    } cases[] = {
        { { { "GET", "/a", ACCESS_READ, 0, handler, false }, { "POST", "/a", ACCESS_RUN, 1, handler, false } }, NULL },
        { { { "GET", "/a/{x}", ACCESS_READ, 0, handler, false }, { "GET", "/a/b", ACCESS_READ, 0, handler, false } },
          NULL },
        { { { "GET", "/a", ACCESS_NONE_GIVEN, 0, handler, false } }, "access" },
        { { { "GET", "/a", (enum access)9, 0, handler, false } }, "access" },
        { { { "HEAD", "/a", ACCESS_READ, 0, handler, false } }, "method" },
        { { { "get", "/a", ACCESS_READ, 0, handler, false } }, "method" },
        { { { "GET", "a", ACCESS_READ, 0, handler, false } }, "slash" },
        { { { "GET", "", ACCESS_READ, 0, handler, false } }, "slash" },
        { { { "GET", "/a{x}", ACCESS_READ, 0, handler, false } }, "whole segment" },
        { { { "GET", "/{}", ACCESS_READ, 0, handler, false } }, "whole segment" },
        { { { "GET", "/{x}/{x}", ACCESS_READ, 0, handler, false } }, "twice" },
        { { { "GET", "/a", ACCESS_READ, 0, NULL, false } }, "missing" },
        { { { "GET", "/a/{x}", ACCESS_READ, 0, handler, false }, { "GET", "/a/{y}", ACCESS_READ, 0, handler, false } },
          "twice" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = { 0 };
        size_t count = cases[i].routes[1].method ? 2 : 1;
        bool ok = router_check(cases[i].routes, count, &err);

        test_case("table %zu", i);
        CHECK(ok == (cases[i].says == NULL));
        if (cases[i].says)
            CHECK(strstr(err.what, cases[i].says) != NULL);
    }
    CHECK(!router_check(NULL, 0, NULL));
}

static const struct route table[] = {
    { "GET", "/", ACCESS_READ, 0, handler, false },
    { "GET", "/v1/jobs", ACCESS_READ, 0, handler, false },
    { "POST", "/v1/jobs", ACCESS_RUN, 1, handler, false },
    { "GET", "/v1/jobs/{id}", ACCESS_READ, 0, handler, false },
    { "DELETE", "/v1/jobs/{id}", ACCESS_RUN, 0, handler, false },
    { "GET", "/v1/jobs/stats", ACCESS_READ, 0, handler, false },
    { "POST", "/v1/jobs/{id}/cancel", ACCESS_RUN, 0, handler, false },
    { "GET", "/v1/{kind}/{id}/x", ACCESS_READ, 0, handler, false },
    { "GET", "/v1/jobs/{id}/x", ACCESS_READ, 0, handler, false },
    { "GET", "/console/", ACCESS_PUBLIC, 0, handler, false },
};

static void finds_routes(void)
{
    static const struct {
        const char *method, *path;
        int route; /* -1: none */
        const char *allow, *id;
    } cases[] = {
        { "GET", "/", 0, "GET, HEAD, OPTIONS", NULL },
        { "HEAD", "/v1/jobs", 1, "GET, HEAD, POST, OPTIONS", NULL },
        { "POST", "/v1/jobs", 2, "GET, HEAD, POST, OPTIONS", NULL },
        { "PUT", "/v1/jobs", -1, "GET, HEAD, POST, OPTIONS", NULL },
        { "BREW", "/v1/jobs", -1, "GET, HEAD, POST, OPTIONS", NULL },
        { "GET", "/v1/jobs/7", 3, "GET, HEAD, DELETE, OPTIONS", "7" },
        { "DELETE", "/v1/jobs/a%2Fb", 4, "GET, HEAD, DELETE, OPTIONS", "a/b" },
        { "GET", "/v1/jobs/stats", 5, "GET, HEAD, OPTIONS", NULL },
        { "DELETE", "/v1/jobs/stats", -1, "GET, HEAD, OPTIONS", NULL },
        { "GET", "/v1/jobs/7/cancel", -1, "POST, OPTIONS", NULL },
        { "GET", "/v1/jobs/7/x", 8, "GET, HEAD, OPTIONS", "7" },
        { "GET", "/v1/other/7/x", 7, "GET, HEAD, OPTIONS", "7" },
        { "GET", "/v1/%6Aobs", 1, "GET, HEAD, POST, OPTIONS", NULL },
        { "GET", "/v1/jobs/{id}", 3, "GET, HEAD, DELETE, OPTIONS", "{id}" },
        { "GET", "/v1/jobs/", -1, NULL, NULL },
        { "GET", "/v1/jobs//x", -1, NULL, NULL },
        { "GET", "/v1", -1, NULL, NULL },
        { "GET", "/V1/jobs", -1, NULL, NULL },
        { "GET", "/v1/jobs/7/cancel/", -1, NULL, NULL },
        { "GET", "/console/", 9, "GET, HEAD, OPTIONS", NULL },
        { "GET", "/console", -1, NULL, NULL },
        { "GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", -1, NULL, NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route_match match = { 0 };
        struct path path = { 0 };
        struct buf allow = { 0 };

        test_case("%s %s", cases[i].method, cases[i].path);
        CHECK(path_parse(span_of(cases[i].path), &path, NULL));
        router_find(table, sizeof table / sizeof table[0], cases[i].method, &path, &match);
        CHECK_I64(match.route ? match.route - table : -1, cases[i].route);
        CHECK((match.allowed != 0) == (cases[i].allow != NULL));
        router_allow(match.allowed, &allow);
        if (cases[i].allow)
            CHECK_TEXT(buf_cstr(&allow), cases[i].allow);
        if (cases[i].id && CHECK(match.param_count > 0))
            CHECK_SPAN(match.params[match.param_count - 1].value, cases[i].id);
        buf_done(&allow);
        path_done(&path);
    }
}

static const struct test tests[] = {
    { "splits targets", splits_targets },
    { "parses paths", parses_paths },
    { "parses queries", parses_queries },
    { "bounds paths and queries", bounds_paths_and_queries },
    { "chooses by Accept", chooses_by_accept },
    { "compares ETags", compares_etags },
    { "knows content types", knows_content_types },
    { "cursors come back", cursors_come_back },
    { "bad cursors are refused", bad_cursors_are_refused },
    { "refuses bad tables", refuses_bad_tables },
    { "finds routes", finds_routes },
};
TEST_MAIN("http/parse", tests)
