/* SPDX-License-Identifier: MIT */
/* What a check's successor needs: the filter, when the next start is due, and the counters. */
#include <errno.h>

#include "base/cursor.h"
#include "engine.h"

#define FREEZE_MAGIC 0x68654348u /* "heCH" */
#define FREEZE_VERSION 1

/* How long until the next start. A run that goes on now is done anew at once. */
static uint64_t next_in(const struct health_check *c, uint64_t now_ns)
{
	return c->condition == IDLE && c->planned_ns > now_ns ? c->planned_ns - now_ns : 0;
}

ssize_t health_check_freeze(const struct health_check *c, uint64_t now_ns, void *buf, size_t cap)
{
	uint8_t filter[HEALTH_FILTER_FREEZE_MAX];
	struct writer w;
	ssize_t len;

	if (!c || !buf)
		return -EINVAL;
	len = health_filter_freeze(&c->filter, now_ns, filter, sizeof(filter));
	if (len < 0)
		return len;
	w = writer_of(buf, cap);
	write_be32(&w, FREEZE_MAGIC);
	write_u8(&w, FREEZE_VERSION);
	write_u8(&w, c->condition == PAUSED);
	write_be64(&w, next_in(c, now_ns));
	write_be64(&w, c->runs);
	write_be64(&w, c->failures);
	write_be64(&w, c->late);
	write_be64(&w, c->skipped);
	write_u8(&w, (uint8_t)c->last.code);
	write_u8(&w, (uint8_t)c->last.verdict);
	write_be16(&w, (uint16_t)len);
	write_bytes(&w, filter, (size_t)len);
	return w.bad ? -ENOBUFS : (ssize_t)writer_len(&w);
}

/* Paused or not is the options' business: the bit is for people who look into the file. */
int health_check_thaw(struct health_check *c, uint64_t now_ns, const void *buf, size_t len)
{
	struct health_filter filter;
	struct reader r, inner;
	uint64_t next, runs, failures, late, skipped;
	uint8_t code, verdict;

	if (!c || !buf)
		return -EINVAL;
	if (c->condition != FRESH && c->condition != PAUSED)
		return -EBUSY;
	r = reader_of(buf, len);
	if (read_be32(&r) != FREEZE_MAGIC || read_u8(&r) != FREEZE_VERSION)
		return -EBADMSG;
	read_u8(&r);
	next = read_be64(&r);
	runs = read_be64(&r);
	failures = read_be64(&r);
	late = read_be64(&r);
	skipped = read_be64(&r);
	code = read_u8(&r);
	verdict = read_u8(&r);
	inner = read_part(&r, read_be16(&r));
	filter = c->filter;
	if (r.bad || reader_left(&r) || next > HEALTH_TIME_MAX_NS || code > HEALTH_CODE_HANA ||
	    verdict > HEALTH_FAIL_NOW ||
	    health_filter_thaw(&filter, now_ns, inner.at, reader_left(&inner)) < 0)
		return -EBADMSG;
	c->filter = filter;
	c->planned_ns = now_ns + next;
	c->thawed = true;
	c->runs = runs;
	c->failures = failures;
	c->late = late;
	c->skipped = skipped;
	c->last.code = code;
	c->last.verdict = verdict;
	return 0;
}
