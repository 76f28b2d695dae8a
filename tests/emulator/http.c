#include "tests/emulator/http.h"

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "tests/emulator/bedrock.h"
#include "tests/emulator/control.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/iam.h"
#include "tests/emulator/journal.h"
#include "tests/emulator/request.h"
#include "tests/emulator/runtime.h"
#include "tests/emulator/s3.h"
#include "tests/emulator/sender.h"
#include "tests/emulator/store.h"
#include "tests/emulator/sts.h"
#include "tests/emulator/timers.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

struct http_server {
    struct emulator *emu;
    struct MHD_Daemon *daemon;
    struct timers *timers;
};

static void *first_sight(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;

    (void)connection;
    journal_enter(server->emu->journal);
    return request_new(uri);
}

/* The target stays as it came: we decode it ourselves. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    request_add_header(cls, name, value);
    return MHD_YES;
}

static void plan_body(struct emulator *emu, struct request *rq)
{
    enum body_sink sink = BODY_DROP;

    if (rq->kind == REQUEST_S3)
        sink = s3_body_sink(rq);
    else if (strcmp(rq->method, "POST") == 0 || strcmp(rq->method, "PUT") == 0)
        sink = BODY_MEMORY;
    body_begin(&rq->body, sink, &emu->store->blobs);
    if (rq->kind == REQUEST_S3)
        s3_expect_body(emu, rq);
    rq->has_body_plan = true;
}

static void start_request(struct emulator *emu, struct request *rq, const char *method)
{
    struct sig_input signed_input;

    memcpy(rq->method, method, strlen(method) < sizeof rq->method ? strlen(method) : sizeof rq->method - 1);
    signed_input = (struct sig_input){ rq->method, rq->raw_path, rq->raw_query, rq->headers, rq->header_count };
    sig_read_claim(&signed_input, &rq->claim);
    if (span_starts(rq->raw_path, SPAN_LIT("/_emulator/"))) {
        rq->kind = REQUEST_CONTROL;
        rq->op = "Control";
    } else if (bedrock_is_for(rq)) {
        rq->kind = REQUEST_BEDROCK;
        bedrock_route(rq);
    } else if (sts_is_for(rq)) {
        rq->kind = REQUEST_STS;
        sts_route(rq);
    } else if (iam_is_for(rq)) {
        rq->kind = REQUEST_IAM;
        rq->op = "IAM";
    } else {
        rq->kind = REQUEST_S3;
        s3_route(emu, rq);
    }
    plan_body(emu, rq);
}

static void do_work(struct emulator *emu, struct request *rq)
{
    if (rq->kind == REQUEST_S3)
        s3_handle(emu, rq);
    else if (rq->kind == REQUEST_STS)
        sts_handle(emu, rq);
    else if (rq->kind == REQUEST_IAM)
        iam_handle(emu, rq);
    else
        bedrock_handle(emu, rq);
}

/* Faults stand around the work: before it, instead of it, after it. */
static void handle_aws(struct emulator *emu, struct request *rq)
{
    struct fault_action fault = { .cut_body = -1 };

    if (rq->model.len > 0)
        runtime_name_video(rq);
    if (rq->kind == REQUEST_IAM)
        iam_route(rq);
    if (faults_match(emu->faults, rq->op, rq->bucket, rq->key, &fault))
        rq->fault = fault.name;
    rq->delay_ms = emu->config.latency_ms + fault.delay_ms;
    rq->cut_at = fault.cut_body;
    rq->slow_bytes_per_s = fault.slow_body;
    memcpy(rq->told_checksum, fault.checksum, sizeof rq->told_checksum);
    rq->drop_answer = fault.reset || fault.reset_after;
    if (fault.status != 0) {
        if (rq->kind == REQUEST_S3)
            s3_fault(emu, rq, &fault);
        else if (rq->kind == REQUEST_STS)
            sts_fault(rq, &fault);
        else if (rq->kind == REQUEST_IAM)
            iam_fault(rq, &fault);
        else
            bedrock_fault(emu, rq, &fault);
    } else if (!fault.reset) {
        do_work(emu, rq);
    }
    journal_request(emu, rq);
}

static enum MHD_Result close_without_answer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger none = { .l_onoff = 1, .l_linger = 0 };

    if (info)
        (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    return MHD_NO;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct http_server *server = cls;
    struct request *rq = *state;

    (void)url;
    (void)version;
    if (!rq->has_body_plan) {
        MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, rq);
        start_request(server->emu, rq, method);
        return MHD_YES;
    }
    if (*size > 0) {
        body_add(&rq->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!rq->handled) {
        rq->handled = true;
        body_end(&rq->body);
        if (rq->kind == REQUEST_CONTROL)
            control_handle(server->emu, rq);
        else
            handle_aws(server->emu, rq);
        if (rq->delay_ms > 0) {
            timers_suspend(server->timers, connection, rq->delay_ms);
            return MHD_YES;
        }
    }
    if (rq->drop_answer)
        return close_without_answer(connection);
    return sender_send(server->emu, server->timers, connection, rq);
}

static void on_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
    struct http_server *server = cls;

    (void)connection;
    (void)how;
    if (*state) {
        journal_leave(server->emu->journal);
        request_free(*state);
    }
    *state = NULL;
}

struct http_server *http_start(struct emulator *emu, int *port)
{
    struct http_server *server = emu_alloc(1, sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)emu->config.listen_port) };
    const union MHD_DaemonInfo *info = NULL;

    if (inet_pton(AF_INET, emu->config.listen_host, &address.sin_addr) != 1)
        emu_die("--listen wants an IPv4 address");
    server->emu = emu;
    server->timers = timers_start();
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL, NULL,
        on_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)emu->config.threads, MHD_OPTION_URI_LOG_CALLBACK, first_sight, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_end, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)(64 * 1024), MHD_OPTION_CONNECTION_LIMIT, 4000U, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_END);
    if (!server->daemon)
        emu_die("listening");
    info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    *port = info ? info->port : 0;
    return server;
}

void http_stop(struct http_server *server)
{
    (void)MHD_quiesce_daemon(server->daemon);
    timers_stop(server->timers);
    MHD_stop_daemon(server->daemon);
    mem_free(server);
}
