/* SPDX-License-Identifier: MIT */
/* What a check's successor needs: the filter, when the next start is due, the counters, and the last result. */
#include <errno.h>

#include "base/cursor.h"
#include "engine.h"

#define FREEZE_MAGIC 0x68654348u /* "heCH" */
#define FREEZE_VERSION 2

#define NO_AGE UINT64_MAX

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
	write_be64(&w, c->last.start_ns ? now_ns - c->last.start_ns : NO_AGE);
	write_be64(&w, c->last.total_ns);
	write_be32(&w, c->last.status);
	write_be32(&w, (uint32_t)c->last.error);
	write_u8(&w, (uint8_t)c->last.code);
	write_u8(&w, (uint8_t)c->last.verdict);
	write_u8(&w, (uint8_t)c->last.phase);
	write_be16(&w, (uint16_t)len);
	write_bytes(&w, filter, (size_t)len);
	return w.bad ? -ENOBUFS : (ssize_t)writer_len(&w);
}

/* False: nothing a check can have left. */
static bool read_last(struct reader *r, uint64_t now_ns, struct health_past *ret)
{
	uint64_t age = read_be64(r);

	ret->start_ns = age == NO_AGE ? 0 : now_ns - age;
	ret->total_ns = read_be64(r);
	ret->status = read_be32(r);
	ret->error = (int32_t)read_be32(r);
	ret->code = read_u8(r);
	ret->verdict = read_u8(r);
	ret->phase = read_u8(r);
	return !r->bad && ret->code <= HEALTH_CODE_HANA && ret->verdict <= HEALTH_FAIL_NOW &&
	       ret->phase <= HEALTH_PHASE_NAME;
}

/* Paused or not is the options' business: the bit is for people who look into the file. */
int health_check_thaw(struct health_check *c, uint64_t now_ns, const void *buf, size_t len)
{
	struct health_filter filter;
	struct reader r, inner;
	uint64_t next, runs, failures, late, skipped;
	struct health_past last = {0};
	bool valid;

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
	valid = read_last(&r, now_ns, &last);
	inner = read_part(&r, read_be16(&r));
	filter = c->filter;
	if (!valid || r.bad || reader_left(&r) || next > HEALTH_TIME_MAX_NS ||
	    health_filter_thaw(&filter, now_ns, inner.at, reader_left(&inner)) < 0)
		return -EBADMSG;
	c->filter = filter;
	c->planned_ns = now_ns + next;
	c->thawed = true;
	c->delayed = false;
	c->runs = runs;
	c->failures = failures;
	c->late = late;
	c->skipped = skipped;
	c->last = last;
	return 0;
}
