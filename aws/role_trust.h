/* Does a role's trust policy let Bedrock assume the role for batch jobs of one account in one Region? Pure: no I/O, no
 * clock, no globals. Any thread.
 *
 * It says yes or no only where every element that decides is one that it knows; else it says what it does not judge.
 * Known: Principal.Service, Action (also with wildcards), and the conditions aws:SourceAccount and aws:SourceArn under
 * StringEquals, StringLike, ArnEquals and ArnLike. A job's ARN ends in twelve letters and digits that nobody knows
 * beforehand: a condition that only some of them meet is not judged.
 *
 * Sources: Amazon Bedrock user guide, "Create a custom service role for batch inference" (principal, action, the two
 * conditions); IAM user guide, "IAM JSON policy elements: Condition operators" (the ArnEquals and ArnLike behave alike,
 * part by part), "Policy evaluation logic" (Deny wins, what nobody allows is denied). */
#ifndef VIDBATCH_AWS_ROLE_TRUST_H
#define VIDBATCH_AWS_ROLE_TRUST_H

#include "server/base/span.h"

enum trust_state { TRUST_UNKNOWN, TRUST_ALLOWS, TRUST_REFUSES };

struct trust_facts { /* borrowed */
    const char *partition, *region, *account;
};

struct trust_verdict {
    enum trust_state state;
    char why[300]; /* a clause without its full stop: what refuses, or what cannot be judged; "" where it allows */
};

enum { TRUST_MAX_BYTES = 64 * 1024 }; /* a longer policy is not judged; IAM's own limit is far below */

/* document: JSON as IAM gives it, decoded; whatever it is, there is a verdict. */
void trust_judge(struct span document, const struct trust_facts *facts, struct trust_verdict *out);

#endif
