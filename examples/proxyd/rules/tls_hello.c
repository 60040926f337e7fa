/* SPDX-License-Identifier: MIT */
#include "rules/tls_hello.h"

#include "rules/bytes.h"

#define RECORD_HANDSHAKE 22
#define RECORD_HEAD 5
#define HELLO_CLIENT 1

enum {
	EXT_SERVER_NAME = 0,
	EXT_CURVES = 10,
	EXT_POINTS = 11,
	EXT_ALPN = 16,
	EXT_TICKET = 35,
};

static void read_server_name(struct input in, struct tls_hello *ret)
{
	struct input list = take_vector(&in, 2);

	while (list.at < list.end) {
		uint32_t type = take_number(&list, 1);
		struct input name = take_vector(&list, 2);

		if (type == 0 && !list.is_short) {
			ret->server_name = text_in(name);
			return;
		}
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
		list = take_vector(&in, 2);
		list = take_vector(&list, 1);
		if (!list.is_short)
			ret->alpn = text_in(list);
		break;
	default:
		break;
	}
}

static void read_client(struct input in, struct tls_hello *ret)
{
	struct input extensions;

	ret->version = (uint16_t)take_number(&in, 2);
	take_bytes(&in, 32);	/* random */
	take_vector(&in, 1); /* session */
	take_vector(&in, 2); /* ciphers */
	take_vector(&in, 1); /* compressions */
	if (in.at == in.end)
		return;
	extensions = take_vector(&in, 2);
	ret->has_extensions = true;
	while (extensions.at < extensions.end) {
		uint32_t type = take_number(&extensions, 2);
		struct input body = take_vector(&extensions, 2);

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
	take_bytes(&in, 3);
	record = take_vector(&in, 2);
	if (in.is_short) /* all of the record is waited for */
		return TLS_HELLO_PART;
	take_number(&record, 1);
	message = take_vector(&record, 3);
	if (record.is_short)
		return TLS_HELLO_NONE;
	if (type == HELLO_CLIENT)
		read_client(message, ret);
	else
		ret->version = (uint16_t)take_number(&message, 2);
	return TLS_HELLO_WHOLE;
}
