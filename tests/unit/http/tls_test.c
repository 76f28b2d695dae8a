/* TLS: who gets in, certificates that change under open connections, and files that are no good. */
#include "server/http/tls.h"

#include "server/base/log.h"
#include "server/http/http.h"
#include "tests/support/test.h"
#include "tests/support/tls_identity.h"
#include "tests/unit/http/raw_client.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static struct tls_identity first, second;
static char dir[] = "/tmp/vidbatch-tls-XXXXXX";
static char cert_file[64], key_file[64];
static struct http_server *server;
static char said[8192], why[CURL_ERROR_SIZE];

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

/* The files become this identity's; a key of another where asked. */
static void install(const struct tls_identity *cert, const struct tls_identity *key)
{
    FILE *out = fopen(cert_file, "w");

    if (!out || PEM_write_X509(out, SSL_CTX_get0_certificate(cert->server)) != 1 || fclose(out) != 0)
        abort();
    out = fopen(key_file, "w");
    if (!out || PEM_write_PrivateKey(out, SSL_CTX_get0_privatekey(key->server), NULL, NULL, 0, NULL, NULL) != 1 ||
        fclose(out) != 0)
        abort();
}

static void echo(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    json_span(&w, rq_body(rq));
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    static _Thread_local int calls;

    (void)state;
    (void)context;
    (void)err;
    for (int i = 0; i < 1000; i++)
        buf_text(out, "piece of a stream\n");
    *end = ++calls % 20 == 0;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_stream(rp, "text/plain", fill, NULL, NULL);
}

static const struct route routes[] = {
    { "POST", "/echo", ACCESS_READ, 1 << 20, echo, false },
    { "GET", "/stream", ACCESS_READ, 0, stream, false },
};

static void start(void)
{
    const struct http_options options = { .host = "127.0.0.1",
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .handler_threads = 1,
                                          .limits = { .head_timeout_ms = 500 },
                                          .tls_cert = cert_file,
                                          .tls_key = key_file };
    struct err err = { 0 };

    install(&first, &first);
    if (!CHECK(http_start(&options, &server, &err))) {
        printf("%s\n", err.what);
        abort();
    }
}

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
    size_t have = strlen(said);

    (void)arg;
    if (have + size * count < sizeof said) {
        memcpy(said + have, data, size * count);
        said[have + size * count] = '\0';
    }
    return size * count;
}

static CURL *client(const struct tls_identity *trusted)
{
    CURL *curl = curl_easy_init();
    char url[64];

    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d/echo", http_port(server));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CAINFO, trusted->ca_file);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "hello");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
    return curl;
}

static CURLcode perform(CURL *curl)
{
    said[0] = why[0] = '\0';
    return curl_easy_perform(curl);
}

static CURLcode ask(const struct tls_identity *trusted)
{
    CURL *curl = client(trusted);
    CURLcode code = perform(curl);

    curl_easy_cleanup(curl);
    return code;
}

static void requests_are_answered(void)
{
    CURL *curl = NULL;
    curl_off_t size = 0;
    struct http_counts counts;

    start();
    curl = client(&first);
    curl_easy_setopt(curl, CURLOPT_HEADER, 1L);
    CHECK_I64(perform(curl), CURLE_OK);
    CHECK(strstr(said, "\"hello\"") != NULL);
    CHECK(strcasestr(said, "Strict-Transport-Security: max-age=31536000") != NULL);
    curl_easy_cleanup(curl);
    CHECK(ask(&second) != CURLE_OK);
    curl = client(&first);
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    (void)snprintf(said, sizeof said, "https://127.0.0.1:%d/stream", http_port(server));
    curl_easy_setopt(curl, CURLOPT_URL, said);
    CHECK_I64(perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &size);
    CHECK_I64(size, 20 * 1000 * 18);
    curl_easy_cleanup(curl);
    http_counts(server, &counts);
    CHECK(counts.tls_expires_at_s > time(NULL) && counts.tls_expires_at_s < time(NULL) + 2 * 86400);
    http_stop(server, 1000);
}

static void old_versions_are_refused(void)
{
    static const struct {
        long version;
        bool ok;
    } cases[] = {
        { CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1, false },
        { CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, true },
        { CURL_SSLVERSION_TLSv1_3, true },
    };

    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CURL *curl = client(&first);

        test_case("case %zu", i);
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, cases[i].version);
        /* so that OpenSSL itself would still speak them */
        curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
        CHECK((perform(curl) == CURLE_OK) == cases[i].ok);
        CHECK(strstr(why, "no protocols available") == NULL); /* what OpenSSL itself would say */
        curl_easy_cleanup(curl);
    }
    http_stop(server, 1000);
}

static void a_new_certificate_drops_nobody(void)
{
    struct err err = { 0 };
    CURL *kept = NULL;
    long connects = 0;

    start();
    kept = client(&first);
    CHECK_I64(perform(kept), CURLE_OK);
    install(&second, &second);
    CHECK_I64(ask(&first), CURLE_OK); /* not before it is told */
    CHECK(http_reload(server, &err));
    CHECK(ask(&first) != CURLE_OK);
    CHECK_I64(ask(&second), CURLE_OK);
    CHECK_I64(perform(kept), CURLE_OK); /* on its connection */
    curl_easy_getinfo(kept, CURLINFO_NUM_CONNECTS, &connects);
    CHECK_I64(connects, 0);
    curl_easy_cleanup(kept);
    http_stop(server, 1000);
}

static void bad_files_change_nothing(void)
{
    static const struct {
        const char *cert, *key; /* NULL: as they should be */
        const char *says;
    } cases[] = {
        { "no certificate", NULL, "holds no certificate in PEM" },
        { "", NULL, "holds no certificate in PEM" },
        { NULL, "no key", "holds no private key in PEM" },
        { NULL, "", "holds no private key in PEM" },
    };
    struct err err = { 0 };
    struct tls *none = NULL;

    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("case %zu", i);
        install(&second, &second);
        if (cases[i].cert)
            write_text(cert_file, cases[i].cert);
        if (cases[i].key)
            write_text(key_file, cases[i].key);
        err = (struct err){ 0 };
        CHECK(!http_reload(server, &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK(strstr(err.what, cases[i].says) != NULL && strstr(err.what, dir) != NULL);
        CHECK_I64(ask(&first), CURLE_OK);
    }
    test_case(NULL);
    install(&second, &first);
    err = (struct err){ 0 };
    CHECK(!http_reload(server, &err));
    CHECK(strstr(err.what, "is not that of the first certificate") != NULL);
    CHECK_I64(ask(&first), CURLE_OK);
    (void)unlink(key_file);
    err = (struct err){ 0 };
    CHECK(!http_reload(server, &err));
    CHECK(strstr(err.what, "cannot be read") != NULL);
    err = (struct err){ 0 };
    CHECK(!tls_new("/nowhere", key_file, &none, &err));
    CHECK(strstr(err.what, "/nowhere cannot be read") != NULL);
    http_stop(server, 1000);
}

/* Whoever never says hello has the same deadline. */
static void silent_and_plain_clients_are_cut(void)
{
    static struct answer got;
    int fd = -1;

    start();
    fd = client_open(http_port(server));
    client_read(fd, &got, false);
    CHECK_I64(got.status, 0);
    (void)close(fd);
    client_get(http_port(server), "/echo", &got); /* plain HTTP */
    CHECK_I64(got.status, 0);
    CHECK_I64(ask(&first), CURLE_OK);
    http_stop(server, 1000);
}

static atomic_bool ended;

static void *reload_often(void *arg)
{
    (void)arg;
    while (!atomic_load(&ended)) {
        struct err err = { 0 };
        CHECK(http_reload(server, &err));
    }
    return NULL;
}

static void handshakes_beside_reloads(void)
{
    pthread_t reloader;

    start();
    atomic_store(&ended, false);
    CHECK(pthread_create(&reloader, NULL, reload_often, NULL) == 0);
    for (int i = 0; i < 30; i++)
        CHECK_I64(ask(&first), CURLE_OK);
    atomic_store(&ended, true);
    (void)pthread_join(reloader, NULL);
    http_stop(server, 1000);
}

static const struct test tests[] = {
    { "requests are answered", requests_are_answered },
    { "old versions are refused", old_versions_are_refused },
    { "a new certificate drops nobody", a_new_certificate_drops_nobody },
    { "bad files change nothing", bad_files_change_nothing },
    { "silent and plain clients are cut", silent_and_plain_clients_are_cut },
    { "handshakes beside reloads", handshakes_beside_reloads },
};

int main(int argc, char **argv)
{
    int failed = 0;

    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    tls_identity_make(&first, "IP:127.0.0.1");
    tls_identity_make(&second, "IP:127.0.0.1");
    if (!mkdtemp(dir))
        return 1;
    (void)snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    (void)snprintf(key_file, sizeof key_file, "%s/key.pem", dir);
    failed = test_main("http/tls", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
    (void)unlink(cert_file);
    (void)unlink(key_file);
    (void)rmdir(dir);
    tls_identity_done(&first);
    tls_identity_done(&second);
    curl_global_cleanup();
    return failed;
}
