/* SPDX-License-Identifier: MIT */
/* Converters of numbers and of times, and hashes that are numbers. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libsched/lb_hash.h>

#include "rules/expr.h"
#include "rules/vars.h"

enum {
	NUMBER_ADD,
	NUMBER_SUB,
	NUMBER_MUL,
	NUMBER_DIV,
	NUMBER_MOD,
	NUMBER_AND,
	NUMBER_OR,
	NUMBER_XOR,
	NUMBER_NEG,
	NUMBER_CPL,
	NUMBER_BOOL,
	NUMBER_NOT,
	NUMBER_ODD,
	NUMBER_EVEN,
};

/* The argument is a number or the name of a variable that holds one. */
static bool check_operand(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			  struct rule_error *e)
{
	int64_t value;

	if (!n)
		return true;
	if (arg->text.len && strchr("+-0123456789", *arg->text.at) &&
	    text_to_int(arg->text, &value)) {
		arg->number = value;
		return true;
	}
	arg->number = var_number(arg->text, m, e);
	arg->object = arg; /* says: of a variable */
	return arg->number >= 0;
}

static bool operand(const struct expr_arg *arg, unsigned n_args, struct run *r, int64_t *ret)
{
	struct sample s;

	*ret = n_args ? arg->number : 0;
	if (!n_args || !arg->object)
		return true;
	if (!run_var_get(r, (unsigned)arg->number, &s) ||
	    !sample_cast(&s, SAMPLE_INT, &r->scratch))
		return false;
	*ret = s.number;
	return true;
}

/* Results beyond 64 bits stay at the end of the range. */
static int64_t saturated(int64_t a, int64_t b, int what)
{
	int64_t result;
	bool up = what == NUMBER_MUL ? (a < 0) == (b < 0) : what == NUMBER_ADD ? b > 0 : b < 0;

	if (what == NUMBER_ADD	 ? __builtin_add_overflow(a, b, &result)
	    : what == NUMBER_SUB ? __builtin_sub_overflow(a, b, &result)
				 : __builtin_mul_overflow(a, b, &result))
		return up ? INT64_MAX : INT64_MIN;
	return result;
}

static int64_t divided(int64_t a, int64_t b, bool rest)
{
	if (!b)
		return rest ? 0 : INT64_MAX;
	if (b == -1)
		return rest ? 0 : a == INT64_MIN ? INT64_MAX : -a;
	return rest ? a % b : a / b;
}

static bool number(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	int64_t a = s->number, b;

	if (!operand(arg, n_args, r, &b))
		return false;
	switch (c->data) {
	case NUMBER_ADD:
	case NUMBER_SUB:
	case NUMBER_MUL:
		*s = sample_int(saturated(a, b, c->data));
		break;
	case NUMBER_DIV:
	case NUMBER_MOD:
		*s = sample_int(divided(a, b, c->data == NUMBER_MOD));
		break;
	case NUMBER_AND:
		*s = sample_int(a & b);
		break;
	case NUMBER_OR:
		*s = sample_int(a | b);
		break;
	case NUMBER_XOR:
		*s = sample_int(a ^ b);
		break;
	case NUMBER_NEG:
		*s = sample_int(saturated(0, a, NUMBER_SUB));
		break;
	case NUMBER_CPL:
		*s = sample_int(~a);
		break;
	case NUMBER_BOOL:
	case NUMBER_NOT:
		*s = sample_bool((a != 0) == (c->data == NUMBER_BOOL));
		break;
	case NUMBER_ODD:
	case NUMBER_EVEN:
		*s = sample_bool((a & 1) == (c->data == NUMBER_ODD));
		break;
	default:
		return false;
	}
	return true;
}

/* ---- Times ---- */

enum {
	DATE_LOCAL,
	DATE_UTC,
	DATE_HTTP, /* RFC 9110, section 5.6.7 */
};
#define DATE_KIND 0x3
#define DATE_MS 0x4 /* of milliseconds, else seconds */
#define DATE_US 0x8
#define TIME_MAX 256 /* bytes */

/* The administrator writes the format: it cannot be known here. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* "%N", "%3N": nanoseconds, as many digits; strftime knows them not. False: the format does not fit. */
static bool put_fraction(const char *format, uint32_t ns, char *out, size_t cap)
{
	size_t n = 0;

	while (*format) {
		size_t digits = format[0] == '%' && format[1] >= '1' && format[1] <= '9' && format[2] == 'N' ? 3
				: format[0] == '%' && format[1] == 'N'					     ? 2
													     : 0;
		char text[10];

		if (n + 12 > cap)
			return false;
		if (digits) {
			snprintf(text, sizeof(text), "%09u", ns);
			text[digits == 3 ? format[1] - '0' : 9] = '\0';
			n += (size_t)snprintf(out + n, cap - n, "%s", text);
			format += digits;
			continue;
		}
		out[n++] = *format;
		if (*format++ == '%' && *format) /* "%%N" is no fraction */
			out[n++] = *format++;
	}
	out[n] = '\0';
	return true;
}

/* [ms_|us_]ltime(format[,offset]), utime(…), http_date([offset[,unit]]): the offset is in the unit of the number */
static bool format_time(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			struct run *r, struct sample *s)
{
	bool is_http = (c->data & DATE_KIND) == DATE_HTTP;
	const char *format = is_http ? "%a, %d %b %Y %H:%M:%S GMT" : arg->text.at;
	int64_t unit = c->data & DATE_MS ? 1000 : c->data & DATE_US ? 1000000 : 1, t = s->number, rest;
	unsigned offset = is_http ? 0 : 1;
	char *p = scratch_take(&r->scratch, TIME_MAX), whole[TIME_MAX];
	time_t seconds;
	struct tm tm;
	size_t n;

	if (!p || (n_args > offset && __builtin_add_overflow(t, arg[offset].number, &t)))
		return false;
	if (is_http && n_args > 1)
		unit = arg[1].number;
	rest = t % unit + (t % unit < 0 ? unit : 0);
	seconds = (time_t)(t / unit - (t % unit < 0));
	if (unit > 1 && is_http) {
		snprintf(whole, sizeof(whole), "%%a, %%d %%b %%Y %%H:%%M:%%S.%d GMT", (int)rest);
		format = whole;
	} else if (unit > 1) {
		if (!put_fraction(format, (uint32_t)(rest * (1000000000 / unit)), whole, sizeof(whole)))
			return false;
		format = whole;
	}
	if (!((c->data & DATE_KIND) == DATE_LOCAL ? localtime_r : gmtime_r)(&seconds, &tm))
		return false;
	n = strftime(p, TIME_MAX, format, &tm);
	scratch_trim(&r->scratch, TIME_MAX, n);
	*s = sample_text(SAMPLE_STR, p, n);
	return true;
}

static bool check_unit(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	if (n < 2)
		return true;
	arg[1].number = !strcmp(arg[1].text.at, "s") ? 1 : !strcmp(arg[1].text.at, "ms") ? 1000 : !strcmp(arg[1].text.at, "us") ? 1000000 : 0;
	return arg[1].number || rule_fail(e, "\"%.20s\" is no unit: write s, ms or us", arg[1].text.at);
}

const struct conv convs_number[] = {
    {"add", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_ADD, check_operand, false},
    {"and", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_AND, check_operand, false},
    {"bool", "", SAMPLE_INT, SAMPLE_BOOL, number, NUMBER_BOOL, NULL, false},
    {"cpl", "", SAMPLE_INT, SAMPLE_INT, number, NUMBER_CPL, NULL, false},
    {"div", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_DIV, check_operand, false},
    {"even", "", SAMPLE_INT, SAMPLE_BOOL, number, NUMBER_EVEN, NULL, false},
    {"http_date", "IS", SAMPLE_INT, SAMPLE_STR, format_time, DATE_HTTP, check_unit, false},
    {"ltime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_LOCAL, NULL, false},
    {"mod", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_MOD, check_operand, false},
    {"ms_ltime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_LOCAL | DATE_MS, NULL, false},
    {"ms_utime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_UTC | DATE_MS, NULL, false},
    {"mul", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_MUL, check_operand, false},
    {"neg", "", SAMPLE_INT, SAMPLE_INT, number, NUMBER_NEG, NULL, false},
    {"not", "", SAMPLE_INT, SAMPLE_BOOL, number, NUMBER_NOT, NULL, false},
    {"odd", "", SAMPLE_INT, SAMPLE_BOOL, number, NUMBER_ODD, NULL, false},
    {"or", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_OR, check_operand, false},
    {"sub", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_SUB, check_operand, false},
    {"us_ltime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_LOCAL | DATE_US, NULL, false},
    {"us_utime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_UTC | DATE_US, NULL, false},
    {"utime", "sI", SAMPLE_INT, SAMPLE_STR, format_time, DATE_UTC, NULL, false},
    {"xor", "s", SAMPLE_INT, SAMPLE_INT, number, NUMBER_XOR, check_operand, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};

/* ---- Hashes: name([avalanche]) ---- */

enum {
	HASH_CRC32,
	HASH_DJB2,
	HASH_SDBM,
	HASH_WT6,
};

static bool hash(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct sample *s)
{
	static uint32_t (*const functions[])(const void *, size_t) = {
	    [HASH_CRC32] = lb_hash_crc32,
	    [HASH_DJB2] = lb_hash_djb2,
	    [HASH_SDBM] = lb_hash_sdbm,
	    [HASH_WT6] = lb_hash_wt6,
	};
	uint32_t value = functions[c->data](s->text.at, s->text.len);

	*s = sample_int(n_args && arg->number ? lb_hash_avalanche(value) : value);
	return true;
}

const struct conv convs_hash[] = {
    {"crc32", "I", SAMPLE_BIN, SAMPLE_INT, hash, HASH_CRC32, NULL, false},
    {"djb2", "I", SAMPLE_BIN, SAMPLE_INT, hash, HASH_DJB2, NULL, false},
    {"sdbm", "I", SAMPLE_BIN, SAMPLE_INT, hash, HASH_SDBM, NULL, false},
    {"wt6", "I", SAMPLE_BIN, SAMPLE_INT, hash, HASH_WT6, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};

/* ---- Addresses ---- */

/* ipmask(bits4[,bits6]); bits4 may be a dotted mask */
static bool mask_address(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			 struct run *r, struct sample *s)
{
	int64_t bits;

	/* text may be of either family; an IPv6 address without a mask of its own must be one of IPv4, mapped */
	if (s->type == SAMPLE_STR && !text_to_ip(s->text, s))
		return false;
	if ((s->type != SAMPLE_IPV6 || n_args < 2) && !sample_cast(s, SAMPLE_IPV4, &r->scratch))
		return false;
	bits = s->type == SAMPLE_IPV6 ? arg[1].number : arg[0].number;
	for (size_t i = 0; i < (s->type == SAMPLE_IPV6 ? 16 : 4); i++, bits -= 8)
		s->ip[i] = (uint8_t)(s->ip[i] & (bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff00 >> bits));
	return true;
}

static bool check_mask(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	struct sample dotted;

	if (memchr(arg[0].text.at, '.', arg[0].text.len) && text_to_ip(arg[0].text, &dotted)) {
		uint32_t mask = (uint32_t)dotted.ip[0] << 24 | (uint32_t)dotted.ip[1] << 16 |
				(uint32_t)dotted.ip[2] << 8 | dotted.ip[3];

		arg[0].number = __builtin_popcount(mask);
		if (mask != (arg[0].number ? UINT32_MAX << (32 - arg[0].number) : 0))
			return rule_fail(e, "\"%s\" is no mask: its bits have a hole",
					 arg[0].text.at);
	} else if (!text_to_int(arg[0].text, &arg[0].number) || arg[0].number < 0 ||
		   arg[0].number > 32) {
		return rule_fail(e, "\"%s\" is no mask: write 0 to 32, or 255.255.255.0",
				 arg[0].text.at);
	}
	if (n > 1 && (arg[1].number < 0 || arg[1].number > 128))
		return rule_fail(e, "\"%s\" is no mask of IPv6: write 0 to 128", arg[1].text.at);
	return true;
}

const struct conv convs_address[] = {
    {"ipmask", "sI", SAMPLE_IPV4, SAMPLE_IPV4, mask_address, 0, check_mask, true},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
