/* `vidbatchd health`: a container has no curl, so the program asks itself. */
#ifndef VIDBATCH_SERVER_HEALTH_H
#define VIDBATCH_SERVER_HEALTH_H

#include <stdbool.h>

/* GET /livez of the service on this address (port 0: read from port_file). Exit status: 0 when it answers 200, else 1
 * with the reason on standard error. */
int health_ask(const char *host, int port, const char *port_file, bool tls);

#endif
