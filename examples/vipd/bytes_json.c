/* SPDX-License-Identifier: MIT */
#include "bytes_json.h"

#include <stdlib.h>
#include <string.h>

#define MARK '\x01' /* no word of a configuration begins with it */

/* Bytes from 0x80 on are U+0080 to U+00FF: two bytes in UTF-8. */
static char *encode(const char *text)
{
	size_t len = strlen(text), n = 0;
	char *to = malloc(2 * len + 2);

	if (!to)
		return NULL;
	to[n++] = MARK;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80)
			to[n++] = (char)(0xc0 | c >> 6);
		to[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	to[n] = '\0';
	return to;
}

static void decode(char *text)
{
	size_t n = 0;

	for (size_t i = 1; text[i]; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80 && text[i + 1])
			c = (unsigned char)(c << 6 | (text[++i] & 0x3f));
		text[n++] = (char)c;
	}
	text[n] = '\0';
}

json_t *bytes_to_json(const char *text)
{
	json_t *o = *text == MARK ? NULL : json_string(text);
	char *encoded;

	if (o)
		return o;
	encoded = encode(text);
	o = encoded ? json_string(encoded) : NULL;
	free(encoded);
	return o;
}

char *bytes_from_json(const json_t *o)
{
	const char *text = json_string_value(o);
	char *copy = text ? strdup(text) : NULL;

	if (copy && *copy == MARK)
		decode(copy);
	return copy;
}

int bytes_object_set(json_t *o, const char *key, json_t *value)
{
	json_t *k = bytes_to_json(key);
	int r = -1;

	if (k)
		r = json_object_set(o, json_string_value(k), value);
	json_decref(k);
	json_decref(value);
	return r;
}

json_t *bytes_object_get(const json_t *o, const char *key)
{
	json_t *k = bytes_to_json(key), *value = k ? json_object_get(o, json_string_value(k)) : NULL;

	json_decref(k);
	return value;
}
