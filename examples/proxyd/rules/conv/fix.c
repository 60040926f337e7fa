/* SPDX-License-Identifier: MIT */
/* Financial Information eXchange (FIX 4.4, volume 1): fields "TAG=VALUE" that end with the byte 1. */
#include <string.h>

#include "rules/expr.h"

#define SOH '\1'
#define MESSAGE_MIN 26 /* bytes */

enum {
	TAG_BEGIN_STRING = 8,
	TAG_BODY_LENGTH = 9,
	TAG_CHECK_SUM = 10,
	TAG_MSG_TYPE = 35,
};

struct field {
	int64_t tag;
	struct text value;
};

/* Takes the first field of *t. False: it is none, or has no end. */
static bool read_field(struct text *t, struct field *ret)
{
	const char *end = memchr(t->at, SOH, t->len), *equals;
	size_t digits = 0;

	if (!t->len || !end)
		return false;
	equals = memchr(t->at, '=', (size_t)(end - t->at));
	if (!equals || equals == t->at || equals + 1 == end)
		return false;
	while (t->at + digits < equals && t->at[digits] >= '0' && t->at[digits] <= '9')
		digits++;
	if (t->at + digits != equals || !text_to_int(text_of(t->at, digits), &ret->tag))
		return false;
	ret->value = text_of(equals + 1, (size_t)(end - equals) - 1);
	t->len -= (size_t)(end + 1 - t->at);
	t->at = end + 1;
	return true;
}

/* fix_tag_value(TAG) */
static bool tag_value(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct text t = s->text;
	struct field f;

	while (read_field(&t, &f)) {
		if (f.tag == arg->number) {
			*s = sample_text(SAMPLE_BIN, f.value.at, f.value.len);
			return true;
		}
	}
	return false;
}

static bool check_tag(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	static const struct {
		const char *name;
		int tag;
	} names[] = {{"BeginString", TAG_BEGIN_STRING}, {"BodyLength", TAG_BODY_LENGTH}, {"CheckSum", TAG_CHECK_SUM},
		     {"MsgType", TAG_MSG_TYPE},		{"SenderCompID", 49},		 {"TargetCompID", 56}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, arg->text.at)) {
			arg->number = names[i].tag;
			return true;
		}
	return (!arg->text.at[strspn(arg->text.at, "0123456789")] && text_to_int(arg->text, &arg->number) && arg->number > 0) ||
	       rule_fail(e, "\"%.30s\" is no tag: write its number, or BeginString, BodyLength, MsgType, SenderCompID, "
			    "TargetCompID, CheckSum",
			 arg->text.at);
}

static bool is_version(struct text t)
{
	static const char *const known[] = {"FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (t.len == strlen(known[i]) && !memcmp(t.at, known[i], t.len))
			return true;
	return false;
}

static bool is_number(struct text t, int64_t wanted)
{
	int64_t value;

	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
	return text_to_int(t, &value) && value == wanted;
}

/*
 * The first three fields and the last one are always the same; the sum is that of all bytes before the last. -1: more
 * bytes may make it one.
 */
static int is_message(struct text all)
{
	const char *body, *at;
	struct field f, length;
	struct text t = all;
	uint8_t sum = 0;
	int64_t len;

	if (all.len < MESSAGE_MIN)
		return -1;
	if (!read_field(&t, &f) || f.tag != TAG_BEGIN_STRING || !is_version(f.value) || !read_field(&t, &length) ||
	    length.tag != TAG_BODY_LENGTH)
		return false;
	body = t.at;
	if (!read_field(&t, &f) || f.tag != TAG_MSG_TYPE)
		return false;
	do {
		at = t.at;
		if (!memchr(at, SOH, t.len))
			return -1;
		if (!read_field(&t, &f))
			return false;
	} while (f.tag != TAG_CHECK_SUM);
	len = at - body;
	for (const char *p = all.at; p < at; p++)
		sum = (uint8_t)(sum + (uint8_t)*p);
	return is_number(length.value, len) && f.value.len == 3 && is_number(f.value, sum);
}

static bool is_valid(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	int found = is_message(s->text);

	*s = sample_bool(found > 0);
	return found >= 0;
}

const struct conv convs_fix[] = {
    {"fix_is_valid", "", SAMPLE_BIN, SAMPLE_BOOL, is_valid, 0, NULL, false},
    {"fix_tag_value", "s", SAMPLE_BIN, SAMPLE_BIN, tag_value, 0, check_tag, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
