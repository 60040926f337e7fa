/* SPDX-License-Identifier: MIT */
/* Sample fetches that need no connection: constants, clocks, dice, variables, the process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/expr.h"
#include "rules/vars.h"

static bool constant(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = sample_bool(f->data);
	return true;
}

static bool given(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	if (f->out == SAMPLE_INT)
		*ret = sample_int(arg->number);
	else if (f->out == SAMPLE_BOOL)
		*ret = sample_bool(arg->number);
	else if (f->out == SAMPLE_STR || f->out == SAMPLE_BIN)
		*ret = sample_text(f->out, arg->text.at, arg->text.len);
	else
		return text_to_ip(arg->text, ret);
	return true;
}

static bool check_bool(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	static const char *const yes[] = {"true", "1"}, *const no[] = {"false", "0"};

	for (size_t i = 0; i < 2; i++) {
		if (!strcmp(arg->text.at, yes[i]) || !strcmp(arg->text.at, no[i])) {
			arg->number = !strcmp(arg->text.at, yes[i]);
			return true;
		}
	}
	return rule_fail(e, "\"%s\" is neither true nor false", arg->text.at);
}

static bool check_hex(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		      struct rule_error *e)
{
	char *out = m->alloc(m->owner, arg->text.len / 2 + 1);

	if (!out)
		return rule_fail(e, "%s", "");
	for (size_t i = 0; i < arg->text.len / 2; i++) {
		const char digits[3] = {arg->text.at[2 * i], arg->text.at[2 * i + 1]};
		char *end;

		out[i] = (char)strtoul(digits, &end, 16);
		if (*end || digits[0] == '+' || digits[0] == '-' || digits[0] == ' ')
			return rule_fail(e, "\"%s\" is not hexadecimal", arg->text.at);
	}
	if (arg->text.len % 2)
		return rule_fail(e, "\"%s\" has half a byte at its end", arg->text.at);
	arg->text = (struct text){out, arg->text.len / 2};
	return true;
}

static bool check_ip(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		     struct rule_error *e)
{
	struct sample s;

	return text_to_ip(arg->text, &s) || rule_fail(e, "\"%s\" is no address", arg->text.at);
}

/* date([offset[,unit]]), date_us */
static bool date(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	int64_t value = r->wall.tv_sec;

	if (n_args > 1 && !strcmp(arg[1].text.at, "ms"))
		value = value * 1000 + r->wall.tv_nsec / 1000000;
	else if (n_args > 1 && !strcmp(arg[1].text.at, "us"))
		value = value * 1000000 + r->wall.tv_nsec / 1000;
	if (f->data)
		value = r->wall.tv_nsec / 1000;
	*ret = sample_int(value + (n_args ? arg->number : 0));
	return true;
}

static uint64_t next_random(struct run *r)
{
	uint64_t z = r->random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool dice(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	uint64_t range = n_args && arg->number > 0 ? (uint64_t)arg->number : UINT64_C(1) << 32;

	*ret = sample_int((int64_t)(next_random(r) % range));
	return true;
}

/* RFC 9562, version 4 */
static bool uuid(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	uint64_t a = next_random(r), b = next_random(r);
	char *p = scratch_take(&r->scratch, 37);

	if (!p)
		return false;
	snprintf(p, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
		 (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
		 (unsigned)(b >> 48 & 0x3fff) | 0x8000, (unsigned long long)(b & 0xffffffffffffu));
	*ret = sample_text(SAMPLE_STR, p, 36);
	return true;
}

static bool environment(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct fetch_step *step, struct sample *ret)
{
	if (!arg->object)
		return false;
	*ret = sample_text(SAMPLE_STR, arg->object, strlen(arg->object));
	return true;
}

/* As it is when the configuration is read: threads read it, and nothing changes it. */
static bool check_environment(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			      struct rule_error *e)
{
	const char *value = getenv(arg->text.at);
	char *copy;

	if (!value)
		return true;
	copy = m->alloc(m->owner, strlen(value) + 1);
	if (!copy)
		return rule_fail(e, "%s", "");
	arg->object = strcpy(copy, value);
	return true;
}

static bool hostname(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	char *p = scratch_take(&r->scratch, 256);

	if (!p || gethostname(p, 256) < 0)
		return false;
	p[255] = '\0';
	*ret = sample_text(SAMPLE_STR, p, strlen(p));
	return true;
}

static bool variable(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	if (run_var_get(r, (unsigned)arg->number, ret))
		return true;
	if (n_args < 2)
		return false;
	*ret = sample_text(SAMPLE_STR, arg[1].text.at, arg[1].text.len);
	return true;
}

static bool check_variable(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			   struct rule_error *e)
{
	int number = var_number(arg->text, m, e);

	arg->number = number;
	return number >= 0;
}

static bool is_over(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	r->may_change = !r->ended;
	*ret = sample_bool(r->ended);
	return true;
}

const struct fetch fetches_const[] = {
    {"always_false", "", SAMPLE_BOOL, 0, constant, 0, NULL},
    {"always_true", "", SAMPLE_BOOL, 0, constant, 1, NULL},
    {"bin", "s", SAMPLE_BIN, 0, given, 0, check_hex},
    {"bool", "s", SAMPLE_BOOL, 0, given, 0, check_bool},
    {"date", "IS", SAMPLE_INT, 0, date, 0, NULL},
    {"date_us", "", SAMPLE_INT, 0, date, 1, NULL},
    {"env", "s", SAMPLE_STR, 0, environment, 0, check_environment},
    {"false", "", SAMPLE_BOOL, 0, constant, 0, NULL},
    {"hostname", "", SAMPLE_STR, 0, hostname, 0, NULL},
    {"int", "i", SAMPLE_INT, 0, given, 0, NULL},
    {"ipv4", "s", SAMPLE_IPV4, 0, given, 0, check_ip},
    {"ipv6", "s", SAMPLE_IPV6, 0, given, 0, check_ip},
    {"meth", "s", SAMPLE_STR, 0, given, 0, NULL},
    {"rand", "I", SAMPLE_INT, 0, dice, 0, NULL},
    {"str", "s", SAMPLE_STR, 0, given, 0, NULL},
    {"true", "", SAMPLE_BOOL, 0, constant, 1, NULL},
    {"uuid", "I", SAMPLE_STR, 0, uuid, 0, NULL},
    {"var", "sS", SAMPLE_STR, 0, variable, 0, check_variable},
    {"wait_end", "", SAMPLE_BOOL, 0, is_over, 0, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
