/* SPDX-License-Identifier: MIT */
/*
 * A text to be found in a stream, by Knuth, Morris and Pratt: no byte is looked at twice and none is kept, so
 * pieces of any size give the same answer.
 */
#ifndef LIBHEALTH_MATCH_H
#define LIBHEALTH_MATCH_H

#include "base/cursor.h"

#define MATCH_MAX 255 /* bytes of the text */

/* The text, compiled; many streams may share it. */
struct match {
	uint8_t len;
	uint8_t text[MATCH_MAX];
	uint8_t
	    back[MATCH_MAX]; /* with i bytes matched and the next wrong, back[i - 1] still are */
};

/* 0; -EINVAL: no text, or more than MATCH_MAX bytes. */
int match_init(struct match *m, const void *text, size_t len);

/*
 * Reads on until the text is complete (true: `r` stands behind it) or `r` is at its end. `matched` is the
 * stream's own count: 0 at first.
 */
bool match_feed(const struct match *m, uint8_t *matched, struct reader *r);

#endif
