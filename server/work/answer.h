/* Inside server/work: from what the model said about one record to the row that is stored, whichever way it came. Pure.
 */
#ifndef VIDBATCH_WORK_ANSWER_H
#define VIDBATCH_WORK_ANSWER_H

#include "aws/batch_output.h"
#include "sql/summary_store.h"

/* Fills state, tokens, texts and error of a row whose ids, time and round are there already. line is no malformed one;
 * row's texts borrow from it, or are static. An answer without a word of text has failed, and its stop reason says why.
 */
void answer_to_summary(const struct batch_line *line, struct summary_new *row);

#endif
