/* Who may connect, and what is kept of each connection. */
#include "server/http/internal.h"

#include "server/base/clock.h"
#include "server/base/mem.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { UNSENT_BYTES = 128 << 10 /* of a connection in the kernel: a client that stops reading costs no more */ };

static enum MHD_Result turn_away(struct http_server *server, enum http_refusal why)
{
    metrics_refused(&server->metrics, why);
    return MHD_NO; /* closes it */
}

/* MHD_quiesce_daemon would stop the listening, but races with its own epoll threads in 0.9.75 and then aborts the
 * process. So when the server stops, a new connection is closed as soon as it is accepted. Several I/O threads may each
 * let in one too many. */
enum MHD_Result connection_let_in(void *cls, const struct sockaddr *addr, socklen_t len)
{
    struct http_server *server = cls;
    const struct address from = address_of_socket(addr);
    const int64_t now_ms = clock_mono_ms();

    (void)len;
    if (atomic_load(&server->stopping) && now_ms >= atomic_load(&server->guests_until_ms))
        return MHD_NO;
    if (metrics_connections(&server->metrics) >= (uint64_t)server->limits.max_connections)
        return turn_away(server, HTTP_REFUSED_CONNECTIONS);
    if (!networks_have(&server->forwarders, &from) &&
        !tally_has_room(&server->tally, client_of_address(&from), TALLY_CONNECTIONS, now_ms))
        return turn_away(server, HTTP_REFUSED_ADDRESS);
    return MHD_YES;
}

static struct link *open_link(struct http_server *server, struct MHD_Connection *connection, int fd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct link *link = mem_alloc(1, sizeof *link);

    if (!link)
        return NULL;
    link->fd = fd;
    link->tls = server->tls;
    link->peer = address_of_socket(info ? info->client_addr : NULL);
    link->is_forwarder = networks_have(&server->forwarders, &link->peer);
    link->tallied = !link->is_forwarder &&
                    tally_take(&server->tally, client_of_address(&link->peer), TALLY_CONNECTIONS, 1, clock_mono_ms());
    watch_add(&server->watch, link);
    return link;
}

static void close_link(struct http_server *server, struct link *link)
{
    if (!link)
        return;
    watch_remove(&server->watch, link);
    if (link->tallied)
        tally_give(&server->tally, client_of_address(&link->peer), TALLY_CONNECTIONS, 1, clock_mono_ms());
    mem_free(link);
}

void connection_changed(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode toe)
{
    struct http_server *server = cls;
    const union MHD_ConnectionInfo *info = NULL;
    int fd = -1;

    metrics_connection(&server->metrics, toe == MHD_CONNECTION_NOTIFY_STARTED);
    if (toe != MHD_CONNECTION_NOTIFY_STARTED) {
        close_link(server, *socket_context);
        *socket_context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    fd = info ? info->connect_fd : -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){ UNSENT_BYTES }, sizeof(int));
    *socket_context = open_link(server, connection, fd);
    if (!*socket_context)
        (void)shutdown(fd, SHUT_RDWR); /* without memory nobody would watch it */
}

/* libmicrohttpd tells the session its connection, and the handshake comes after connection_changed. */
int connection_present(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
                       unsigned *cert_count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                       unsigned *flags)
{
    const union MHD_ConnectionInfo *context =
        MHD_get_connection_info(gnutls_session_get_ptr(session), MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const struct link *link = context ? context->socket_context : NULL;

    (void)info;
    *ocsp = NULL;
    *ocsp_count = 0;
    return link && link->tls ? tls_present(link->tls, certs, cert_count, key, flags) : -1;
}
