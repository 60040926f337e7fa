/* SPDX-License-Identifier: MIT */
/*
 * A PROXY header, or NetScaler's, of any bytes. What has come in part is refused only if the whole is, and a header that is whole
 * is the same with more behind it; its extras lie in it; an address that was read is written and read again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine/netscaler_cip.h"
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

typedef ssize_t parser(const void *data, size_t len, struct proxy_ends *ret);

/* As parse() says of all of it. */
static ssize_t parts_agree(parser *parse, const uint8_t *data, size_t size, struct proxy_ends *ret)
{
	ssize_t n = parse(data, size, ret), got;
	struct proxy_ends part;

	for (size_t i = 0; i < size && i < 600; i++) {
		got = parse(data, i, &part);
		assert(got == 0 || got == n);
		assert(got <= 0 || (size_t)got <= i);
	}
	assert(n <= 0 || ((size_t)n <= size && n <= PROXY_READ_MAX));
	return n;
}

#define MAGIC "NS\0\1"

static ssize_t cip_parse(const void *data, size_t len, struct proxy_ends *ret)
{
	return netscaler_cip_parse(data, len, 0x4e530001, ret);
}

/* Behind the right number, whatever came instead of it. */
static void is_cip(const uint8_t *data, size_t size)
{
	uint8_t copy[PROXY_READ_MAX + 64];
	struct proxy_ends ends;
	ssize_t n;

	size = size < sizeof(copy) ? size : sizeof(copy);
	memcpy(copy, data, size);
	memcpy(copy, MAGIC, size < 4 ? size : 4);
	n = parts_agree(cip_parse, copy, size, &ends);
	assert(n > 0 ? ends.from.ss_family != AF_UNSPEC : ends.from.ss_family == AF_UNSPEC);
	assert(ends.to.ss_family == ends.from.ss_family);
	if (n > 0)
		is_read_again(&ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_ends ends;
	ssize_t n = parts_agree(proxy_parse, data, size, &ends);

	if (size)
		is_cip(data, size);
	if (n <= 0)
		return 0;
	lies_within(ends.authority, ends.authority_len, data, n);
	lies_within(ends.unique_id, ends.unique_id_len, data, n);
	if (ends.from.ss_family != AF_UNSPEC)
		is_read_again(&ends);
	return 0;
}
