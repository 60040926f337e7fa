/* SPDX-License-Identifier: MIT */
#include "rules/sample.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

char *scratch_take(struct scratch *s, size_t size)
{
	char *p = s->at + s->used;

	if (size > s->cap - s->used)
		return NULL;
	s->used += size;
	return p;
}

void scratch_trim(struct scratch *s, size_t size, size_t needed)
{
	s->used -= size - needed;
}

bool scratch_put(struct scratch *s, struct text t)
{
	char *p = scratch_take(s, t.len);

	if (p && t.len)
		memcpy(p, t.at, t.len);
	return p;
}

struct sample sample_bool(bool value)
{
	return (struct sample){.type = SAMPLE_BOOL, .number = value};
}

struct sample sample_int(int64_t value)
{
	return (struct sample){.type = SAMPLE_INT, .number = value};
}

struct sample sample_text(enum sample_type type, const char *at, size_t len)
{
	return (struct sample){.type = type, .text = {at, len}};
}

const char *sample_type_name(enum sample_type type)
{
	static const char *const name[SAMPLE_N_TYPES] = {"boolean",	 "integer", "IPv4 address",
							 "IPv6 address", "string",  "binary"};

	return type < SAMPLE_N_TYPES ? name[type] : "?";
}

bool text_same(struct text a, struct text b, bool ignore_case)
{
	if (a.len != b.len)
		return false;
	return !a.len || !(ignore_case ? strncasecmp : strncmp)(a.at, b.at, a.len);
}

bool text_to_int(struct text t, int64_t *ret)
{
	bool negative = t.len && *t.at == '-';
	uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;

	for (size_t i = t.len && (negative || *t.at == '+'); i < t.len; i++) {
		unsigned digit = (unsigned char)t.at[i] - '0';

		if (digit > 9)
			break;
		if (value > (limit - digit) / 10) {
			*ret = negative ? INT64_MIN : INT64_MAX;
			return false;
		}
		value = value * 10 + digit;
	}
	*ret = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

bool text_to_ip(struct text t, struct sample *ret)
{
	char buf[INET6_ADDRSTRLEN];

	if (!t.len || t.len >= sizeof(buf))
		return false;
	memcpy(buf, t.at, t.len);
	buf[t.len] = '\0';
	if (strlen(buf) != t.len)
		return false;
	ret->type = SAMPLE_IPV4;
	if (inet_pton(AF_INET, buf, ret->ip) == 1)
		return true;
	ret->type = SAMPLE_IPV6;
	return inet_pton(AF_INET6, buf, ret->ip) == 1;
}

/* ---- Casts ---- */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool sample_castable(enum sample_type from, enum sample_type to)
{
	if (from == to || from == SAMPLE_STR)
		return true;
	if (from == SAMPLE_BIN)
		return to == SAMPLE_STR;
	if (from == SAMPLE_IPV4 && to == SAMPLE_BOOL)
		return false;
	if (to == SAMPLE_BIN)
		return true;
	if (from == SAMPLE_IPV6)
		return to == SAMPLE_IPV4 || to == SAMPLE_STR;
	if (to == SAMPLE_IPV4 || to == SAMPLE_IPV6)
		return from != SAMPLE_BOOL;
	return true;
}

static bool take_text(struct sample *s, struct scratch *scratch, const char *text, size_t len)
{
	char *p = scratch_take(scratch, len);

	if (!p)
		return false;
	memcpy(p, text, len);
	*s = sample_text(SAMPLE_STR, p, len);
	return true;
}

static bool to_string(struct sample *s, struct scratch *scratch)
{
	char buf[64];
	int len;

	switch (s->type) {
	case SAMPLE_BIN: /* as it is, up to a NUL */
		*s = sample_text(SAMPLE_STR, s->text.at, strnlen(s->text.at, s->text.len));
		return true;
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		inet_ntop(s->type == SAMPLE_IPV4 ? AF_INET : AF_INET6, s->ip, buf, sizeof(buf));
		return take_text(s, scratch, buf, strlen(buf));
	default:
		len = snprintf(buf, sizeof(buf), "%" PRId64, s->number);
		return take_text(s, scratch, buf, (size_t)len);
	}
}

static bool to_ip(struct sample *s, enum sample_type to)
{
	uint32_t v4;

	if (s->type == SAMPLE_STR && !text_to_ip(s->text, s))
		return false;
	if (s->type == SAMPLE_INT) {
		v4 = htonl((uint32_t)s->number);
		memcpy(s->ip, &v4, sizeof(v4));
		s->type = SAMPLE_IPV4;
	}
	if (s->type == to)
		return true;
	if (to == SAMPLE_IPV6) {
		memcpy(s->ip + sizeof(mapped), s->ip, 4);
		memcpy(s->ip, mapped, sizeof(mapped));
	} else if (!memcmp(s->ip, mapped, sizeof(mapped))) {
		memcpy(s->ip, s->ip + sizeof(mapped), 4);
	} else {
		return false;
	}
	s->type = to;
	return true;
}

static bool to_int(struct sample *s, enum sample_type to)
{
	uint32_t v4;

	if (s->type == SAMPLE_STR) {
		struct text t = s->text;

		if (!t.len)
			return false;
		text_to_int(t, &s->number); /* what is beyond the range is its end: it still is more than others */
	} else if (s->type == SAMPLE_IPV4) {
		memcpy(&v4, s->ip, sizeof(v4));
		s->number = ntohl(v4);
	}
	if (to == SAMPLE_BOOL)
		s->number = s->number != 0;
	s->type = to;
	return true;
}

static bool to_binary(struct sample *s, struct scratch *scratch)
{
	size_t len = s->type == SAMPLE_IPV4 ? 4 : s->type == SAMPLE_IPV6 ? 16 : 8;
	char *p;

	if (s->type == SAMPLE_STR) {
		s->type = SAMPLE_BIN;
		return true;
	}
	p = scratch_take(scratch, len);
	if (!p)
		return false;
	if (s->type == SAMPLE_INT || s->type == SAMPLE_BOOL)
		for (size_t i = 0; i < len; i++)
			p[i] = (char)((uint64_t)s->number >> (56 - 8 * i));
	else
		memcpy(p, s->ip, len);
	*s = sample_text(SAMPLE_BIN, p, len);
	return true;
}

bool sample_cast(struct sample *s, enum sample_type to, struct scratch *scratch)
{
	if (s->type == to)
		return true;
	if (!sample_castable(s->type, to))
		return false;
	switch (to) {
	case SAMPLE_STR:
		return to_string(s, scratch);
	case SAMPLE_BIN:
		return to_binary(s, scratch);
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		return to_ip(s, to);
	default:
		return to_int(s, to);
	}
}
