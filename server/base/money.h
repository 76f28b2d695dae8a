/* Money in millionths of a currency's unit. */
#ifndef VIDBATCH_BASE_MONEY_H
#define VIDBATCH_BASE_MONEY_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { MONEY_SIZE = 32 };

/* "1.234567": always six decimals. micros >= 0. */
void money_format(int64_t micros, char out[MONEY_SIZE]);
/* Digits, and up to six decimals behind a point: "12", "0.5". No sign, no blank, no exponent. False, *micros untouched,
 * for anything else and what does not fit. */
MUST_CHECK bool money_parse(struct span text, int64_t *micros);

#endif
