/* The peer of list_bench: reads a prefix's listing with nothing but libcurl and Expat, page after page on one
 * connection. usage: list_bare BUCKET PREFIX      (endpoint and keys from the environment) */
#include "aws/sigv4.h"
#include "server/base/clock.h"
#include "server/base/text.h"
#include "tests/bench/tool.h"

#include <curl/curl.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct object {
    char key[1025], etag[64], modified[32], size[24];
};

struct reader {
    XML_Parser parser;
    struct object object;
    char token[4096], truncated[8], other[4096];
    char *into;
    size_t room, len;
    int64_t keys, bytes;
    int64_t sum; /* of the sizes, so that they are really read */
};

static void take(struct reader *r, char *into, size_t size)
{
    r->into = into;
    r->room = size - 1;
    r->len = 0;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = arg;

    (void)attributes;
    if (!strcmp(name, "Key"))
        take(r, r->object.key, sizeof r->object.key);
    else if (!strcmp(name, "ETag"))
        take(r, r->object.etag, sizeof r->object.etag);
    else if (!strcmp(name, "LastModified"))
        take(r, r->object.modified, sizeof r->object.modified);
    else if (!strcmp(name, "Size"))
        take(r, r->object.size, sizeof r->object.size);
    else if (!strcmp(name, "NextContinuationToken"))
        take(r, r->token, sizeof r->token);
    else if (!strcmp(name, "IsTruncated"))
        take(r, r->truncated, sizeof r->truncated);
    else
        take(r, r->other, sizeof r->other);
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
    struct reader *r = arg;
    size_t n = (size_t)len < r->room - r->len ? (size_t)len : r->room - r->len;

    memcpy(r->into + r->len, text, n);
    r->len += n;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reader *r = arg;

    r->into[r->len] = '\0';
    if (!strcmp(name, "Contents")) {
        r->keys++;
        r->sum += strtoll(r->object.size, NULL, 10);
    }
    take(r, r->other, sizeof r->other);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct reader *r = arg;

    r->bytes += (int64_t)(size * count);
    return XML_Parse(r->parser, bytes, (int)(size * count), 0) == XML_STATUS_OK ? size * count : 0;
}

/* The query of the next page, signed. */
static struct curl_slist *sign(const char *host, struct span path, struct span query)
{
    AUTO(buf_done) struct buf authorization = { 0 };
    char date[SIGV4_TIME_SIZE], line[3][512];
    struct creds creds = { .access_key_id = "", .secret_access_key = "" };
    struct sigv4_header headers[] = { { SPAN_LIT("host"), span_of(host) },
                                      { SPAN_LIT("x-amz-content-sha256"), SPAN_LIT("UNSIGNED-PAYLOAD") },
                                      { SPAN_LIT("x-amz-date"), { date, SIGV4_TIME_SIZE - 1 } } };
    const struct sigv4_request rq = { .method = SPAN_LIT("GET"),
                                      .path = path,
                                      .query = query,
                                      .headers = headers,
                                      .header_count = 3,
                                      .payload_hash = SPAN_LIT("UNSIGNED-PAYLOAD"),
                                      .region = span_of(getenv("AWS_REGION")),
                                      .service = SPAN_LIT("s3") };
    struct curl_slist *list = NULL;
    struct err err = { 0 };

    snprintf(creds.access_key_id, sizeof creds.access_key_id, "%s", getenv("AWS_ACCESS_KEY_ID"));
    snprintf(creds.secret_access_key, sizeof creds.secret_access_key, "%s", getenv("AWS_SECRET_ACCESS_KEY"));
    buf_init(&authorization, 4096);
    sigv4_time(clock_wall_ms() / 1000, date);
    if (!sigv4_authorization(&rq, &creds, clock_wall_ms() / 1000, &authorization, &err))
        exit(tool_fail(&err));
    snprintf(line[0], sizeof line[0], "authorization: %s", buf_cstr(&authorization));
    snprintf(line[1], sizeof line[1], "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    snprintf(line[2], sizeof line[2], "x-amz-date: %s", date);
    for (int i = 0; i < 3; i++)
        list = curl_slist_append(list, line[i]);
    return list;
}

static bool read_page(CURL *curl, struct reader *r, const char *bucket, const char *prefix)
{
    AUTO(buf_done) struct buf query = { 0 };
    const char *endpoint = getenv("AWS_ENDPOINT_URL");
    char path[128], url[8192];
    struct curl_slist *headers;
    bool ok;

    buf_init(&query, 8192);
    if (r->token[0]) {
        buf_text(&query, "continuation-token=");
        text_percent_encode(&query, span_of(r->token), false);
        buf_char(&query, '&');
    }
    buf_text(&query, "encoding-type=url&list-type=2&max-keys=1000&prefix=");
    text_percent_encode(&query, span_of(prefix), false);
    snprintf(path, sizeof path, "/%s/", bucket);
    snprintf(url, sizeof url, "%s%s?%s", endpoint, path, buf_cstr(&query));
    headers = sign(strstr(endpoint, "://") + 3, span_of(path), buf_view(&query));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    XML_ParserReset(r->parser, NULL);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    take(r, r->other, sizeof r->other);
    ok = curl_easy_perform(curl) == CURLE_OK && XML_Parse(r->parser, "", 0, 1) == XML_STATUS_OK;
    curl_slist_free_all(headers);
    return ok;
}

int main(int argc, char **argv)
{
    static struct reader reader = { .truncated = "true" };
    CURL *curl = NULL;
    double start;

    if (argc != 3)
        return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    reader.parser = XML_ParserCreate(NULL);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reader);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    start = tool_now_s();
    while (!strcmp(reader.truncated, "true"))
        if (!read_page(curl, &reader, argv[1], argv[2])) {
            fprintf(stderr, "list_bare: a page could not be read\n");
            return 1;
        }
    tool_report(reader.keys, tool_now_s() - start, reader.bytes);
    XML_ParserFree(reader.parser);
    curl_easy_cleanup(curl);
    return 0;
}
