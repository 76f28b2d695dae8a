#include "tests/emulator/sessions.h"

#include "server/base/text.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/request.h"

#include <pthread.h>
#include <string.h>

enum { MAX_SESSIONS = 256, REPORT_MAX = 1 << 20 };

struct session {
    char *access_key, *secret_key, *token; /* never freed: requests hold on to them */
    int64_t expires_ms;
};

struct sessions {
    pthread_mutex_t lock; /* guards all below */
    struct session all[MAX_SESSIONS];
    size_t count;
};

struct sessions *sessions_new(void)
{
    struct sessions *sessions = emu_alloc(1, sizeof *sessions);

    pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

static struct session *find(struct sessions *sessions, const char *access_key)
{
    for (size_t i = 0; i < sessions->count; i++)
        if (strcmp(sessions->all[i].access_key, access_key) == 0)
            return &sessions->all[i];
    return NULL;
}

bool sessions_put(struct sessions *sessions, const char *access_key, const char *secret_key, const char *token,
                  int64_t expires_ms)
{
    struct session *session;

    pthread_mutex_lock(&sessions->lock);
    session = find(sessions, access_key);
    if (!session && sessions->count < MAX_SESSIONS) {
        session = &sessions->all[sessions->count++];
        session->access_key = emu_copy(span_of(access_key));
        session->secret_key = emu_copy(span_of(secret_key));
        session->token = emu_copy(span_of(token));
    }
    if (session)
        session->expires_ms = expires_ms;
    pthread_mutex_unlock(&sessions->lock);
    return session != NULL;
}

struct sig_account sessions_account(struct emulator *emu, const char *access_key)
{
    struct sig_account account = { emu->config.access_key, emu->config.secret_key, emu->config.session_token, false };
    const struct session *session;

    pthread_mutex_lock(&emu->sessions->lock);
    session = find(emu->sessions, access_key);
    if (session)
        account = (struct sig_account){ session->access_key, session->secret_key, session->token,
                                        session->expires_ms <= emu_now_ms(emu) };
    pthread_mutex_unlock(&emu->sessions->lock);
    return account;
}

enum sig_result sessions_verify(struct emulator *emu, struct request *rq, int64_t window_ms)
{
    struct sig_input in = { rq->method, rq->raw_path, rq->raw_query, rq->headers, rq->header_count };
    struct sig_account account = sessions_account(emu, rq->claim.access_key);
    AUTO(buf_done) struct buf hash = { 0 };
    struct sig_report report = { .canonical = { 0 } };
    enum sig_result result = SIG_OK;

    buf_init(&hash, 0);
    text_hex(&hash, rq->body.sha256_sum, sizeof rq->body.sha256_sum);
    buf_init(&report.canonical, REPORT_MAX);
    buf_init(&report.string_to_sign, REPORT_MAX);
    result = sig_verify(&in, &rq->claim, &account, buf_cstr(&hash), emu_now_ms(emu), window_ms, &report);
    buf_done(&report.canonical);
    buf_done(&report.string_to_sign);
    return result;
}
