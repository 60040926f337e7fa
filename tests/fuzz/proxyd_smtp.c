/* SPDX-License-Identifier: MIT */
/* What a mail server says, any bytes: the talk goes on by six orders at most, and is the same in parts as in one. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "engine/log/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum smtp_state talk(const char *data, size_t size, size_t step, unsigned *ret_said)
{
	struct smtp_client c = {.order = {"0", "1", "2", "3", "4", "5"}};
	enum smtp_state state = SMTP_WAITS;

	for (size_t at = 0; at < size && state <= SMTP_SAYS;) {
		size_t len = size - at < step ? size - at : step, used = 0;
		unsigned before = c.n_said;
		const char *say = NULL;

		state = smtp_receive(&c, data + at, len, &used, &say);
		assert(used <= len && (used || state == SMTP_FOREIGN));
		assert((say != NULL) == (state == SMTP_SAYS || state == SMTP_TAKEN));
		assert(c.n_said == before + (say != NULL) && (!say || *say == '0' + (char)before));
		assert(strnlen(c.line, sizeof(c.line)) < sizeof(c.line) || state == SMTP_WAITS || state == SMTP_FOREIGN);
		at += used;
	}
	*ret_said = c.n_said;
	return state == SMTP_SAYS ? SMTP_WAITS : state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned whole, parts;

	assert(talk((const char *)data, size, SIZE_MAX, &whole) == talk((const char *)data, size, 1, &parts));
	assert(whole == parts && whole <= SMTP_ORDERS);
	return 0;
}
