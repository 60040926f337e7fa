/* SPDX-License-Identifier: MIT */
/*
 * Freeze and thaw: the state of a session in network order, for the next process or for the same
 * session with new options. The layout is versioned; the reader takes nothing for granted.
 */
#include "bfd/object.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"

#define FREEZE_MAGIC 0x68614246u /* "haBF" */
#define FREEZE_VERSION 1

enum {
	FLAG_ADMIN_DOWN = 1,
	FLAG_OWES_FINAL = 2,
	FLAG_OWES_NEWS = 4,
	FLAG_POLL = 8,
	FLAG_REMOTE_DEMAND = 16,
};

static uint8_t flags_of(const struct ha_bfd *s)
{
	return (uint8_t)((s->admin_down ? FLAG_ADMIN_DOWN : 0) |
			 (s->owes_final ? FLAG_OWES_FINAL : 0) |
			 (s->owes_news ? FLAG_OWES_NEWS : 0) | (s->poll ? FLAG_POLL : 0) |
			 (s->remote.demand ? FLAG_REMOTE_DEMAND : 0));
}

ssize_t ha_bfd_freeze(const struct ha_bfd *s, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	if (!s || (!buf && cap) || !s->running)
		return -EINVAL;
	write_be32(&w, FREEZE_MAGIC);
	write_u8(&w, FREEZE_VERSION);
	write_u8(&w, s->opts.family == AF_INET6 ? 6 : 4);
	write_be32(&w, s->opts.discriminator);
	write_bytes(&w, s->opts.peer.bytes, sizeof(s->opts.peer.bytes));
	write_u8(&w, (uint8_t)s->state);
	write_u8(&w, s->diag);
	write_u8(&w, s->admin_diag);
	write_u8(&w, flags_of(s));
	write_be32(&w, s->remote.discriminator);
	write_u8(&w, (uint8_t)s->remote.state);
	write_u8(&w, s->remote.diag);
	write_u8(&w, s->remote.detect_mult);
	write_be32(&w, s->remote.required_min_rx_us);
	write_be32(&w, s->remote.desired_min_tx_us);
	write_be32(&w, s->desired_us);
	write_be32(&w, s->required_us);
	write_be32(&w, s->tx_in_use_us);
	write_be32(&w, s->rx_in_use_us);
	write_be64(&w, s->since_ns);
	write_be64(&w, s->sent_ns);
	write_be64(&w, s->tx_interval_ns);
	write_be64(&w, s->tx_ns);
	write_be64(&w, s->random);
	write_be64(&w, s->reply_ns);
	write_be64(&w, s->poll_first_ns);
	write_be64(&w, s->poll_last_ns);
	write_be64(&w, s->poll_quiet_ns);
	write_be64(&w, s->heard_ns);
	write_u8(&w, 0); /* the checksum that follows begins at an even place */
	if (!w.bad)
		write_be16(&w, csum_finish(csum_add(0, buf, writer_len(&w))));
	return w.bad ? -ENOSPC : (ssize_t)writer_len(&w);
}

/* What the buffer holds, in the session's own terms. */
struct frozen {
	struct ha_ip peer;
	uint32_t discriminator, desired_us, required_us, tx_in_use_us, rx_in_use_us;
	uint8_t state, diag, admin_diag, flags, remote_state;
	struct bfd_remote remote;
	uint64_t since_ns, sent_ns, tx_interval_ns, tx_ns, random, reply_ns, poll_first_ns,
	    poll_last_ns, poll_quiet_ns, heard_ns;
};

static void read_remote(struct reader *r, struct frozen *f)
{
	f->remote.discriminator = read_be32(r);
	f->remote_state = read_u8(r);
	f->remote.diag = read_u8(r);
	f->remote.detect_mult = read_u8(r);
	f->remote.required_min_rx_us = read_be32(r);
	f->remote.desired_min_tx_us = read_be32(r);
	f->remote.demand = f->flags & FLAG_REMOTE_DEMAND;
}

static bool read_frozen(const void *buf, size_t len, struct frozen *ret)
{
	struct reader r = reader_of(buf, len);
	struct frozen f = {0};

	if (read_be32(&r) != FREEZE_MAGIC || read_u8(&r) != FREEZE_VERSION)
		return false;
	f.peer.family = read_u8(&r) == 6 ? AF_INET6 : AF_INET;
	f.discriminator = read_be32(&r);
	read_copy(&r, f.peer.bytes, sizeof(f.peer.bytes));
	f.state = read_u8(&r);
	f.diag = read_u8(&r);
	f.admin_diag = read_u8(&r);
	f.flags = read_u8(&r);
	read_remote(&r, &f);
	f.desired_us = read_be32(&r);
	f.required_us = read_be32(&r);
	f.tx_in_use_us = read_be32(&r);
	f.rx_in_use_us = read_be32(&r);
	f.since_ns = read_be64(&r);
	f.sent_ns = read_be64(&r);
	f.tx_interval_ns = read_be64(&r);
	f.tx_ns = read_be64(&r);
	f.random = read_be64(&r);
	f.reply_ns = read_be64(&r);
	f.poll_first_ns = read_be64(&r);
	f.poll_last_ns = read_be64(&r);
	f.poll_quiet_ns = read_be64(&r);
	f.heard_ns = read_be64(&r);
	read_u8(&r);
	read_be16(&r);
	if (r.bad || reader_left(&r) || csum_finish(csum_add(0, buf, len)))
		return false;
	f.remote.state = (enum ha_bfd_state)(f.remote_state & 3);
	*ret = f;
	return true;
}

/* A state that the machine can be in: what is Init or Up has a neighbour whose silence ends it. */
static bool is_sound(const struct frozen *f)
{
	bool known = f->remote.discriminator != 0;

	if (f->state > HA_BFD_UP || f->remote_state > HA_BFD_UP ||
	    f->admin_diag >= HA_BFD_N_DIAGS || f->diag >= HA_BFD_N_DIAGS)
		return false;
	if (known != (f->remote.detect_mult != 0))
		return false;
	if ((f->state == HA_BFD_INIT || f->state == HA_BFD_UP) && !known)
		return false;
	if ((f->state == HA_BFD_ADMIN_DOWN) != !!(f->flags & FLAG_ADMIN_DOWN))
		return false;
	if (f->state != HA_BFD_UP && f->desired_us < HA_BFD_SLOW_INTERVAL_US)
		return false;
	if ((f->tx_ns == HA_BFD_NEVER) != !f->tx_interval_ns)
		return false;
	return bfd_interval_is_right(f->desired_us) && bfd_interval_is_right(f->required_us) &&
	       bfd_interval_is_right(f->tx_in_use_us) && bfd_interval_is_right(f->rx_in_use_us);
}

/* Times of this boot: none began in the future, none ends later than any timer can. */
static bool is_of_now(const struct frozen *f, uint64_t now_ns)
{
	const uint64_t longest = UINT32_MAX * BFD_NS_PER_US;

	return f->since_ns <= now_ns && f->sent_ns <= now_ns && f->heard_ns <= now_ns &&
	       f->poll_first_ns <= f->poll_last_ns && f->poll_last_ns <= now_ns &&
	       f->poll_quiet_ns <= now_ns + longest &&
	       f->reply_ns <= now_ns + (BFD_REPLY_BURST + 1) * BFD_REPLY_GAP_US * BFD_NS_PER_US &&
	       (f->tx_ns == HA_BFD_NEVER || f->tx_ns <= now_ns + longest);
}

static void take(struct ha_bfd *s, const struct frozen *f)
{
	s->running = true;
	s->admin_down = f->flags & FLAG_ADMIN_DOWN;
	s->admin_diag = f->admin_diag;
	s->state = f->state;
	s->diag = f->diag;
	s->since_ns = f->since_ns;
	s->remote = f->remote;
	s->desired_us = f->desired_us;
	s->required_us = f->required_us;
	s->tx_in_use_us = f->tx_in_use_us;
	s->rx_in_use_us = f->rx_in_use_us;
	s->sent_ns = f->sent_ns;
	s->tx_interval_ns = f->tx_interval_ns;
	s->tx_ns = f->tx_ns;
	s->random = f->random;
	s->owes_final = f->flags & FLAG_OWES_FINAL;
	s->owes_news = f->flags & FLAG_OWES_NEWS;
	s->reply_ns = f->reply_ns;
	s->poll = f->flags & FLAG_POLL;
	s->poll_first_ns = f->poll_first_ns;
	s->poll_last_ns = f->poll_last_ns;
	s->poll_quiet_ns = f->poll_quiet_ns;
	s->heard_ns = f->heard_ns;
}

int ha_bfd_thaw(struct ha_bfd *s, uint64_t now_ns, const void *buf, size_t len)
{
	struct frozen f;

	if (!s || (!buf && len) || len > HA_BFD_FREEZE_SIZE || !read_frozen(buf, len, &f) ||
	    !is_sound(&f))
		return -EINVAL;
	if (s->running)
		return -EALREADY;
	if (f.discriminator != s->opts.discriminator || ha_ip_compare(&f.peer, &s->opts.peer))
		return -ESTALE;
	if (!is_of_now(&f, now_ns))
		return -ESTALE;
	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	take(s, &f);
	/* New options are in force as if they had been set now. */
	bfd_timers_take_up(s);
	bfd_timers_recompute(s);
	if (s->watcher)
		s->watcher(s->watcher_arg);
	return 0;
}
