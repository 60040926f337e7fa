/* SPDX-License-Identifier: MIT */
/*
 * A PROXY header of any bytes. What has come in part is refused only if the whole is, and a header that is whole
 * is the same with more behind it; its extras lie in it; an address that was read is written and read again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_within(const char *at, size_t len, const uint8_t *data, ssize_t whole)
{
	assert(!at || ((const uint8_t *)at >= data && (const uint8_t *)at + len <= data + whole));
}

static void is_read_again(const struct proxy_ends *e)
{
	for (unsigned version = 1; version <= 2; version++) {
		char buf[PROXY_HEADER_MAX];
		size_t n = proxy_header(buf, version, (const struct sockaddr *)&e->from,
					(const struct sockaddr *)&e->to);
		struct proxy_ends again;

		assert(proxy_parse(buf, n, &again) == (ssize_t)n);
		assert(!memcmp(&again.from, &e->from, sizeof(e->from)));
		assert(!memcmp(&again.to, &e->to, sizeof(e->to)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_ends ends, part;
	ssize_t n = proxy_parse(data, size, &ends), got;

	for (size_t i = 0; i < size && i < 600; i++) {
		got = proxy_parse(data, i, &part);
		assert(got == 0 || got == n);
		assert(got <= 0 || (size_t)got <= i);
	}
	if (n <= 0)
		return 0;
	assert((size_t)n <= size && n <= PROXY_READ_MAX);
	lies_within(ends.authority, ends.authority_len, data, n);
	lies_within(ends.unique_id, ends.unique_id_len, data, n);
	if (ends.from.ss_family != AF_UNSPEC)
		is_read_again(&ends);
	return 0;
}
