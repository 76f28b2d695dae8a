/* What the stand-in for AWS believes of a signature: any method, target and headers are read or refused, and nobody
 * gets in without the secret key. The input is a request's head: "GET /path?query" and lines of "name:value". */
#include "server/base/text.h"
#include "tests/emulator/sigv4_check.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_HEADERS = 32, REPORT_MAX = 1 << 20, WINDOW_MS = 15 * 60 * 1000 };

static const int64_t now_ms = 1440938160000; /* 2015-08-30T12:36:00Z, the time of AWS's vectors */

static void demand(bool ok)
{
    if (!ok)
        abort();
}

/* Takes the text up to the separator out of *rest, terminated in place. */
static char *take(char **rest, char separator)
{
    char *at = *rest, *end = strchr(at, separator);

    *rest = end ? end + 1 : at + strlen(at);
    if (end)
        *end = '\0';
    return at;
}

static size_t take_headers(char *rest, struct sig_header headers[MAX_HEADERS])
{
    size_t count = 0;

    while (*rest && count < MAX_HEADERS) {
        char *line = take(&rest, '\n');
        char *value = line, *name = take(&value, ':');
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        headers[count++] = (struct sig_header){ name, value };
    }
    return count;
}

static void check_claim(const struct sig_claim *claim)
{
    demand(memchr(claim->access_key, '\0', sizeof claim->access_key) && memchr(claim->date, '\0', sizeof claim->date));
    demand(memchr(claim->region, '\0', sizeof claim->region) && memchr(claim->service, '\0', sizeof claim->service));
    demand(memchr(claim->token, '\0', sizeof claim->token) && memchr(claim->signature, '\0', sizeof claim->signature));
    demand(memchr(claim->signed_headers, '\0', sizeof claim->signed_headers) != NULL);
}

static void check_request(const struct sig_input *in)
{
    /* Nobody can guess it, the fuzzer neither. */
    static const struct sig_account account = { "AKIDEXAMPLE", "a secret that no input of the corpus was signed with",
                                                NULL, false };
    struct sig_report report = { .canonical = { 0 } };
    struct sig_claim claim;

    memset(&claim, 0, sizeof claim);
    sig_read_claim(in, &claim);
    check_claim(&claim);
    buf_init(&report.canonical, REPORT_MAX);
    buf_init(&report.string_to_sign, REPORT_MAX);
    demand(sig_verify(in, &claim, &account, "UNSIGNED-PAYLOAD", now_ms, WINDOW_MS, &report) != SIG_OK);
    buf_done(&report.canonical);
    buf_done(&report.string_to_sign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sig_header headers[MAX_HEADERS];
    struct sig_input in = { .headers = headers };
    char *text = malloc(len + 1), *rest = text, *line = NULL, *query = NULL;

    demand(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    line = take(&rest, '\n');
    in.method = take(&line, ' ');
    query = line;
    in.raw_path = span_of(take(&query, '?'));
    in.raw_query = span_of(query);
    in.header_count = take_headers(rest, headers);
    check_request(&in);
    free(text);
    return 0;
}
