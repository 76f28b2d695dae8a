#include "server/health.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t drop(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static int port_of(int port, const char *port_file)
{
    FILE *file = port == 0 && port_file[0] ? fopen(port_file, "re") : NULL;
    char line[16] = "";

    if (!file)
        return port;
    if (fgets(line, sizeof line, file))
        port = (int)strtol(line, NULL, 10);
    fclose(file);
    return port;
}

/* An address that listens everywhere is asked on loopback. */
static const char *address_of(const char *host)
{
    if (strcmp(host, "0.0.0.0") == 0)
        return "127.0.0.1";
    if (strcmp(host, "::") == 0)
        return "::1";
    return host;
}

int health_ask(const char *host, int port, const char *port_file, bool tls)
{
    const char *address = address_of(host);
    char url[300], why[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    long status = 0;

    if (!curl)
        return 1;
    snprintf(url, sizeof url, "http%s://%s%s%s:%d/livez", tls ? "s" : "", strchr(address, ':') ? "[" : "", address,
             strchr(address, ':') ? "]" : "", port_of(port, port_file));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    /* It asks whether the service of its own settings lives, and tells nothing: whose certificate that is, and for
     * which name, is for clients to judge. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 3000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (status == 200)
        return 0;
    fprintf(stderr, "vidbatchd: %s answered %ld %s\n", url, status, why);
    return 1;
}
