/* The HTTP side: takes requests in, hands them to S3, Bedrock or the control endpoint, sends answers (late, slowly, in
 * part or not at all where a fault says so). */
#ifndef VIDBATCH_EMULATOR_HTTP_H
#define VIDBATCH_EMULATOR_HTTP_H

struct emulator;
struct http_server;

/* Starts listening; the port goes to *port. Ends the process where it cannot. Gives: stop with http_stop. */
struct http_server *http_start(struct emulator *emu, int *port);
void http_stop(struct http_server *server);

#endif
