/* SPDX-License-Identifier: MIT */
/*
 * Fields of HTTP/2, any bytes, as a head of HTTP/1.1: it is one head, of the length that was written, or a fault; never two, and never
 * a part of one. A name and a value are each a byte that says its length, and so many bytes.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/http/h1.h"
#include "engine/http/h2_head.h"

#define MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(const uint8_t **data, size_t *size, const char **ret)
{
	size_t len = *size ? **data : 0;

	if (*size) {
		++*data;
		--*size;
	}
	len = len < *size ? len : *size;
	*ret = (const char *)*data;
	*data += len;
	*size -= len;
	return len;
}

static void read_back(const struct h2_head *h)
{
	size_t len = h->len - h->start;
	char *exact = malloc(len);
	struct http_msg m;
	ssize_t n;

	assert(exact);
	memcpy(exact, h->text + h->start, len);
	h1_begin(&m, exact, 0, 0);
	m.head_max = MAX;
	n = h1_request(&m, 0, (uint32_t)len);
	assert(n < 0 || n == (ssize_t)len);
	assert(len <= MAX || n == -H1_FAULT_TOO_LARGE || n < 0);
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h2_head h = {.text = NULL};
	bool has_body = size && data[0] & 1;
	const char *name, *value;

	h2_head_begin(&h, MAX);
	while (size) {
		size_t name_len = take(&data, &size, &name), value_len = take(&data, &size, &value);

		assert(h2_head_field(&h, name, name_len, value, value_len));
	}
	assert(h2_head_end(&h, has_body));
	if (!h.is_malformed)
		read_back(&h);
	h2_head_free(&h);
	return 0;
}
