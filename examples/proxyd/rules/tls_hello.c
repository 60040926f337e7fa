/* SPDX-License-Identifier: MIT */
#include "rules/tls_hello.h"

#include <string.h>

#define RECORD_HANDSHAKE 22
#define RECORD_HEAD 5
#define HELLO_CLIENT 1

enum {
	EXT_SERVER_NAME = 0,
	EXT_CURVES = 10,
	EXT_POINTS = 11,
	EXT_ALPN = 16,
	EXT_TICKET = 35,
	EXT_VERSIONS = 43,
};

/* What is left to read; a read past its end makes it `short_` and gives zeros. */
struct input {
	const uint8_t *at, *end;
	bool is_short;
};

static const uint8_t *take(struct input *in, size_t n)
{
	const uint8_t *p = in->at;

	if (n > (size_t)(in->end - in->at)) {
		in->is_short = true;
		in->at = in->end;
		return NULL;
	}
	in->at += n;
	return p;
}

static uint32_t number(struct input *in, size_t bytes)
{
	const uint8_t *p = take(in, bytes);
	uint32_t n = 0;

	for (size_t i = 0; p && i < bytes; i++)
		n = n << 8 | p[i];
	return n;
}

/* A vector with a length of so many bytes before it (RFC 8446, section 3.4). */
static struct input vector(struct input *in, size_t length_bytes)
{
	size_t n = number(in, length_bytes);
	const uint8_t *p = take(in, n);

	return p ? (struct input){p, p + n, false} : (struct input){in->end, in->end, true};
}

static struct text text_in(struct input in)
{
	return text_of((const char *)in.at, (size_t)(in.end - in.at));
}

static void read_server_name(struct input in, struct tls_hello *ret)
{
	struct input list = vector(&in, 2);

	while (list.at < list.end) {
		uint32_t type = number(&list, 1);
		struct input name = vector(&list, 2);

		if (type == 0 && !list.is_short) {
			ret->server_name = text_in(name);
			return;
		}
	}
}

static void read_versions(struct input in, struct tls_hello *ret)
{
	struct input list = vector(&in, 1);

	while (list.end - list.at >= 2) {
		uint32_t v = number(&list, 2);

		/* 0x?a?a is grease (RFC 8701) */
		if (v > ret->version && (v & 0x0f0f) != 0x0a0a && v >> 8 == 3)
			ret->version = (uint16_t)v;
	}
}

static void read_extension(uint32_t type, struct input in, struct tls_hello *ret)
{
	struct input list;

	switch (type) {
	case EXT_SERVER_NAME:
		read_server_name(in, ret);
		break;
	case EXT_CURVES:
		ret->has_curves = true;
		break;
	case EXT_POINTS:
		ret->has_points = true;
		break;
	case EXT_TICKET:
		ret->has_tickets = true;
		ret->ticket_len = (uint16_t)(in.end - in.at);
		break;
	case EXT_ALPN:
		list = vector(&in, 2);
		list = vector(&list, 1);
		if (!list.is_short)
			ret->alpn = text_in(list);
		break;
	case EXT_VERSIONS:
		read_versions(in, ret);
		break;
	default:
		break;
	}
}

static void read_client(struct input in, struct tls_hello *ret)
{
	struct input extensions;

	ret->version = (uint16_t)number(&in, 2);
	take(&in, 32);	/* random */
	vector(&in, 1); /* session */
	vector(&in, 2); /* ciphers */
	vector(&in, 1); /* compressions */
	if (in.at == in.end)
		return;
	extensions = vector(&in, 2);
	ret->has_extensions = true;
	while (extensions.at < extensions.end) {
		uint32_t type = number(&extensions, 2);
		struct input body = vector(&extensions, 2);

		if (!extensions.is_short)
			read_extension(type, body, ret);
	}
}

enum tls_hello_found tls_hello_read(struct text bytes, uint8_t type, struct tls_hello *ret)
{
	const uint8_t *at = (const uint8_t *)bytes.at;
	struct input in = {at, at + bytes.len, false}, record, message;

	*ret = (struct tls_hello){.type = type};
	/* the bytes that are there already tell most strangers */
	if ((bytes.len > 0 && at[0] != RECORD_HANDSHAKE) || (bytes.len > 1 && at[1] != 3) ||
	    (bytes.len > RECORD_HEAD && at[RECORD_HEAD] != type))
		return TLS_HELLO_NONE;
	if (bytes.len <= RECORD_HEAD)
		return TLS_HELLO_PART;
	take(&in, 3);
	record = vector(&in, 2);
	if (in.is_short) /* all of the record is waited for */
		return TLS_HELLO_PART;
	number(&record, 1);
	message = vector(&record, 3);
	if (record.is_short)
		return TLS_HELLO_NONE;
	if (type == HELLO_CLIENT)
		read_client(message, ret);
	else
		ret->version = (uint16_t)number(&message, 2);
	return TLS_HELLO_WHOLE;
}
