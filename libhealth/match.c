/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "match.h"

/* One byte further: how many bytes of the text match now. */
static uint8_t advance(const struct match *m, uint8_t matched, uint8_t byte)
{
	while (matched && m->text[matched] != byte)
		matched = m->back[matched - 1];
	return m->text[matched] == byte ? (uint8_t)(matched + 1) : 0;
}

int match_init(struct match *m, const void *text, size_t len)
{
	if (!text || !len || len > MATCH_MAX)
		return -EINVAL;
	*m = (struct match){.len = (uint8_t)len};
	memcpy(m->text, text, len);
	for (size_t i = 1; i < len; i++)
		m->back[i] = advance(m, m->back[i - 1], m->text[i]);
	return 0;
}

bool match_feed(const struct match *m, uint8_t *matched, struct reader *r)
{
	while (reader_left(r)) {
		*matched = advance(m, *matched, read_u8(r));
		if (*matched == m->len) {
			*matched = 0; /* the next search begins behind this one */
			return true;
		}
	}
	return false;
}
