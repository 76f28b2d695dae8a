/* Sends a finished reply: from memory, from a blob's file, or piece by piece where it must be slow or end too early. */
#ifndef VIDBATCH_EMULATOR_SENDER_H
#define VIDBATCH_EMULATOR_SENDER_H

#include <microhttpd.h>

struct emulator;
struct request;
struct timers;

/* The result to return from the request callback. Moves the body out of rq->reply. */
enum MHD_Result sender_send(struct emulator *emu, struct timers *timers, struct MHD_Connection *connection,
                            struct request *rq);

#endif
