/* SPDX-License-Identifier: MIT */
/*
 * Freeze and thaw: the state of a virtual router in network order, for the next process or for the
 * same router with new options. The layout is versioned; the reader takes nothing for granted.
 */
#include "vrrp/object.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"

#define FREEZE_MAGIC 0x68615652u /* "haVR" */
#define FREEZE_VERSION 2

enum {
	FLAG_READY = 1,
	FLAG_HEARD_LOWER = 2,
	FLAG_RELISTENED = 4,
	FLAG_ANNOUNCE_SECOND = 8,
	FLAG_STANDS_BY = 16,
	FLAG_ANNOUNCE_LOWER = 32,
};

static uint8_t flags_of(const struct ha_vrrp *v)
{
	return (uint8_t)((v->ready ? FLAG_READY : 0) | (v->heard_lower ? FLAG_HEARD_LOWER : 0) |
			 (v->relistened ? FLAG_RELISTENED : 0) |
			 (v->announce_second ? FLAG_ANNOUNCE_SECOND : 0) |
			 (v->announce_lower ? FLAG_ANNOUNCE_LOWER : 0) |
			 (v->stands_by ? FLAG_STANDS_BY : 0));
}

/* What was sent and heard with authentication, or a successor would take a replay. */
static void write_sequences(struct writer *w, const struct ha_vrrp *v)
{
	uint8_t *count;

	write_be64(w, v->sequence);
	count = write_room(w, 1);
	write_u8(w, 0); /* the sum is over words */
	if (count)
		*count = 0;
	for (size_t i = 0; i < HA_VRRP_MAX_SENDERS; i++) {
		if (!v->sender[i].sequence)
			continue;
		write_bytes(w, v->sender[i].address.bytes, sizeof(v->sender[i].address.bytes));
		write_be64(w, v->sender[i].sequence);
		if (count)
			++*count;
	}
}

ssize_t ha_vrrp_freeze(const struct ha_vrrp *v, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	if (!v || (!buf && cap))
		return -EINVAL;
	write_be32(&w, FREEZE_MAGIC);
	write_u8(&w, FREEZE_VERSION);
	write_u8(&w, v->opts.vrid);
	write_u8(&w, v->opts.family == AF_INET6 ? 6 : 4);
	write_u8(&w, (uint8_t)v->state);
	write_u8(&w, v->opts.priority);
	write_u8(&w, v->priority);
	write_u8(&w, (uint8_t)v->timer);
	write_u8(&w, flags_of(v));
	write_be16(&w, v->active_interval_cs);
	write_u8(&w, v->active_priority);
	write_u8(&w, v->active.family ? 1 : 0);
	write_bytes(&w, v->active.bytes, sizeof(v->active.bytes));
	write_be64(&w, v->since_ns);
	write_be64(&w, v->timer_ns);
	write_be64(&w, v->timer_start_ns);
	write_be64(&w, v->preempt_ns);
	write_be64(&w, v->announce_ns);
	write_be64(&w, v->reannounce_ns);
	write_be64(&w, v->reannounced_ns);
	write_be64(&w, v->replied_ns);
	write_be64(&w, v->handover_ns);
	write_be64(&w, v->restore_ns);
	write_sequences(&w, v);
	if (!w.bad)
		write_be16(&w, csum_finish(csum_add(0, buf, writer_len(&w))));
	return w.bad ? -ENOSPC : (ssize_t)writer_len(&w);
}

/* What the buffer holds, in the router's own terms. */
struct frozen {
	uint8_t vrid, family, state, base_priority, priority, timer, flags, active_priority,
	    has_active;
	uint16_t active_interval_cs;
	struct ha_ip active;
	uint64_t since_ns, timer_ns, timer_start_ns, preempt_ns, announce_ns, reannounce_ns,
	    reannounced_ns, replied_ns, handover_ns, restore_ns, sequence;
	uint8_t n_senders;
	struct {
		struct ha_ip address;
		uint64_t sequence;
	} sender[HA_VRRP_MAX_SENDERS];
};

static bool read_frozen(const void *buf, size_t len, struct frozen *ret)
{
	struct reader r = reader_of(buf, len);
	struct frozen f = {0};

	if (read_be32(&r) != FREEZE_MAGIC || read_u8(&r) != FREEZE_VERSION)
		return false;
	f.vrid = read_u8(&r);
	f.family = read_u8(&r) == 6 ? AF_INET6 : AF_INET;
	f.state = read_u8(&r);
	f.base_priority = read_u8(&r);
	f.priority = read_u8(&r);
	f.timer = read_u8(&r);
	f.flags = read_u8(&r);
	f.active_interval_cs = read_be16(&r);
	f.active_priority = read_u8(&r);
	f.has_active = read_u8(&r);
	read_copy(&r, f.active.bytes, sizeof(f.active.bytes));
	f.since_ns = read_be64(&r);
	f.timer_ns = read_be64(&r);
	f.timer_start_ns = read_be64(&r);
	f.preempt_ns = read_be64(&r);
	f.announce_ns = read_be64(&r);
	f.reannounce_ns = read_be64(&r);
	f.reannounced_ns = read_be64(&r);
	f.replied_ns = read_be64(&r);
	f.handover_ns = read_be64(&r);
	f.restore_ns = read_be64(&r);
	f.sequence = read_be64(&r);
	f.n_senders = read_u8(&r);
	read_u8(&r);
	if (f.n_senders > HA_VRRP_MAX_SENDERS)
		return false;
	for (unsigned i = 0; i < f.n_senders; i++) {
		f.sender[i].address.family = f.family;
		read_copy(&r, f.sender[i].address.bytes, sizeof(f.sender[i].address.bytes));
		f.sender[i].sequence = read_be64(&r);
	}
	read_be16(&r);
	if (r.bad || reader_left(&r) || csum_finish(csum_add(0, buf, len)))
		return false;
	*ret = f;
	return true;
}

/* The timers that a state can have; a deadline in a state that does not serve it would never end. */
static bool timer_fits(const struct frozen *f)
{
	if ((f->timer == VRRP_TIMER_NONE) != (f->timer_ns == HA_VRRP_NEVER))
		return false;
	switch (f->state) {
	case HA_VRRP_BACKUP:
		return f->timer == VRRP_TIMER_NONE ? f->flags & FLAG_READY
						   : f->timer != VRRP_TIMER_ADVERT;
	case HA_VRRP_ACTIVE:
		return f->timer == VRRP_TIMER_ADVERT || f->timer == VRRP_TIMER_NOW;
	case HA_VRRP_FAULT:
		return f->timer == VRRP_TIMER_NONE || f->timer == VRRP_TIMER_NOW;
	default:
		return f->timer == VRRP_TIMER_NONE;
	}
}

/* A state that the machine can be in. */
static bool is_sound(const struct frozen *f, const struct ha_vrrp *v)
{
	bool actives = f->announce_ns != HA_VRRP_NEVER || f->reannounce_ns != HA_VRRP_NEVER ||
		       f->restore_ns != HA_VRRP_NEVER || f->handover_ns;

	if (f->state > HA_VRRP_FAULT || f->timer > VRRP_TIMER_NOW || !timer_fits(f))
		return false;
	if (actives && f->state != HA_VRRP_ACTIVE)
		return false;
	if (!f->priority ||
	    (f->priority == HA_VRRP_PRIORITY_OWNER) != (f->base_priority == HA_VRRP_PRIORITY_OWNER))
		return false;
	if (f->active_interval_cs < 1 || f->active_interval_cs > HA_VRRP_MAX_INTERVAL_V2_CS)
		return false;
	if (f->timer_start_ns > f->timer_ns && f->timer != VRRP_TIMER_NOW)
		return false;
	return !f->active.family || f->active.family == v->opts.family;
}

/* Times of this boot: none began in the future, none ends later than any timer can. */
static bool is_of_now(const struct frozen *f, const struct ha_vrrp *v, uint64_t now_ns)
{
	uint64_t longest = (uint64_t)(v->opts.down_timer_adverts + 1) * HA_VRRP_MAX_INTERVAL_V2_CS *
			   VRRP_NS_PER_CS;

	return f->since_ns <= now_ns && f->replied_ns <= now_ns + VRRP_REPLY_GAP_NS &&
	       f->reannounced_ns <= now_ns + VRRP_REANNOUNCE_GAP_NS &&
	       (f->timer_ns == HA_VRRP_NEVER || f->timer_ns <= now_ns + longest);
}

static void take(struct ha_vrrp *v, const struct frozen *f)
{
	v->state = f->state;
	v->since_ns = f->since_ns;
	if (f->base_priority == v->opts.priority)
		v->priority = f->priority;
	v->timer = f->timer;
	v->timer_ns = f->timer_ns;
	v->timer_start_ns = f->timer_start_ns;
	v->ready = f->flags & FLAG_READY;
	v->heard_lower = f->flags & FLAG_HEARD_LOWER;
	v->relistened = f->flags & FLAG_RELISTENED;
	v->announce_second = f->flags & FLAG_ANNOUNCE_SECOND;
	v->announce_lower = f->flags & FLAG_ANNOUNCE_LOWER;
	v->active_interval_cs = f->active_interval_cs;
	v->active_priority = f->active_priority;
	v->active = f->active;
	v->preempt_ns = f->preempt_ns;
	v->announce_ns = f->announce_ns;
	v->reannounce_ns = f->reannounce_ns;
	v->reannounced_ns = f->reannounced_ns;
	v->replied_ns = f->replied_ns;
	v->handover_ns = f->handover_ns;
	v->restore_ns = f->restore_ns;
	v->stands_by = f->flags & FLAG_STANDS_BY;
	v->sequence = f->sequence;
	for (unsigned i = 0; i < f->n_senders; i++)
		vrrp_senders_restore(v, &f->sender[i].address, f->sender[i].sequence);
}

/* Adverts that left after the freezing moved the timer by whole intervals: the predecessor's own. */
static void keep_beat(struct frozen *f, uint64_t alive_ns)
{
	uint64_t interval_ns = f->active_interval_cs * VRRP_NS_PER_CS;

	if (f->state != HA_VRRP_ACTIVE || f->timer != VRRP_TIMER_ADVERT || f->timer_ns > alive_ns)
		return;
	f->timer_ns += ((alive_ns - f->timer_ns) / interval_ns + 1) * interval_ns;
	f->timer_start_ns = f->timer_ns - interval_ns;
}

/* The learned interval as the new options allow it. */
static uint16_t learned_within(const struct ha_vrrp_opts *o, uint16_t cs)
{
	if (o->version == 2)
		return o->advert_interval_cs;
	if (cs < o->learn_min_cs)
		return o->learn_min_cs;
	return cs > o->learn_max_cs ? o->learn_max_cs : cs;
}

/* New options are in force: an Active's beat is its own, a Backup's timer its own skew. */
static void adapt(struct ha_vrrp *v, const struct frozen *f)
{
	uint64_t own_ns = v->opts.advert_interval_cs * VRRP_NS_PER_CS;

	if (v->state == HA_VRRP_ACTIVE) {
		v->active_interval_cs = v->opts.advert_interval_cs;
		if (v->timer_ns > v->now_ns + own_ns)
			v->timer_ns = v->now_ns + own_ns;
	} else {
		v->active_interval_cs = learned_within(&v->opts, f->active_interval_cs);
		vrrp_retime(v);
	}
	/* What the faults of now, or the lack of them, ask for happens at the next tick. */
	if ((v->state != HA_VRRP_INITIALIZE && v->faults) ||
	    (v->state == HA_VRRP_FAULT && !v->faults)) {
		v->timer = VRRP_TIMER_NOW;
		v->timer_ns = v->now_ns;
	}
}

int ha_vrrp_thaw(struct ha_vrrp *v, uint64_t now_ns, uint64_t alive_ns, const void *buf, size_t len)
{
	struct frozen f;

	if (!v || (!buf && len) || len > HA_VRRP_FREEZE_SIZE || !read_frozen(buf, len, &f))
		return -EINVAL;
	if (v->state != HA_VRRP_INITIALIZE)
		return -EALREADY;
	f.active.family = f.has_active ? f.family : 0;
	if (!is_sound(&f, v))
		return -EINVAL;
	if (f.vrid != v->opts.vrid || f.family != v->opts.family)
		return -ESTALE;
	if (alive_ns > now_ns || !is_of_now(&f, v, now_ns))
		return -ESTALE;
	keep_beat(&f, alive_ns);
	if (now_ns > v->now_ns)
		v->now_ns = now_ns;
	take(v, &f);
	adapt(v, &f);
	vrrp_group_note(v);
	v->revision++;
	vrrp_rearm(v);
	return 0;
}
