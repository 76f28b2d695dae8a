#include "tests/emulator/sessions.h"

#include "tests/emulator/emulator.h"

#include <pthread.h>
#include <string.h>

enum { MAX_SESSIONS = 256 };

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
