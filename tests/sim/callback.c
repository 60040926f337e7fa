/* SPDX-License-Identifier: MIT */
/* What a process does when the engine calls: sends, holds the addresses, announces; and what it writes down. */
#include "host.h"

#include <errno.h>
#include <stdlib.h>

#include "vrrp/auth.h"
#if SIM_CRYPTO
#include "adapters/hmac_openssl.h"
#endif

static bool is_first_destination(const struct ha_vrrp *v, const struct ha_ip *to)
{
	const struct ha_vrrp_opts *o = ha_vrrp_opts(v);

	return !o->n_peers || !ha_ip_compare(to, &o->peers[0]);
}

/* Who sends two versions sends one advert, in one more dress. */
static bool is_counted(const struct router *r, const uint8_t *bytes)
{
	return !r->node->w->plan.vr[r->vr].migrates || bytes[0] >> 4 == r->part.version;
}

static void mark_sent(struct router *r, int priority)
{
	r->sent_at = ++r->calls;
	if (!priority)
		r->resigned_at = r->calls;
	if (r->n_sent < MODEL_SENDS)
		r->sent[r->n_sent] = priority;
	r->n_sent++;
}

/* The mistake that I9 must find. */
static void allocate(void)
{
	void *volatile p = calloc(1, 1);

	free(p);
}

static int on_send(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		   void *userdata)
{
	struct router *r = userdata;
	struct world *w = r->node->w;
	bool ah = w->plan.vr[r->vr].auth == HA_VRRP_AUTH_AH;
	const uint8_t *bytes = (const uint8_t *)advert + (ah ? VRRP_AH_SIZE : 0);
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + ((const uint8_t *)advert)[i];
	note(w, NOTE_SEND, r, bytes[2], (uint32_t)sum);
	if (r->lost && r->told_ns && bytes[2])
		broken(w, I5, "node %u vr %u sends an advert without its addresses", r->node->id,
		       r->vr);
	if (is_first_destination(v, to) && is_counted(r, bytes)) {
		mark_sent(r, bytes[2]);
		invariants_sent(r, bytes[2]);
	}
	r->sends++;
	if (planted == PLANT_ALLOCATES && r->sends > 3)
		allocate();
	if (w->chaos && plan_has(&w->plan, EVIL_SEND_ERRORS)) {
		struct dice d = dice_for(w->plan.seed + r->sends, FOR_SEND_ERROR, r->index);

		if (dice_of_1000(&d, 200)) {
			note(w, NOTE_SEND_FAILS, r, 0, 0);
			return dice_of_1000(&d, 500) ? -EAGAIN : -ENOBUFS;
		}
	}
	network_send(r, to, advert, len);
	return 0;
}

static void on_addresses(struct ha_vrrp *v, bool up, bool accept, void *userdata)
{
	struct router *r = userdata;

	note(r->node->w, NOTE_ADDRESSES, r, up, 0);
	*(up ? &r->up_at : &r->down_at) = ++r->calls;
	if (r->lost && up) {
		r->holds = !r->stubborn;
		return;
	}
	if (r->holds == up && !r->lost)
		broken(r->node->w, I5, "node %u vr %u is told twice to %s the addresses",
		       r->node->id, r->vr, up ? "take" : "give up");
	r->holds = up || planted == PLANT_KEEPS;
}

static void on_announce(struct ha_vrrp *v, unsigned repeat, void *userdata)
{
	struct router *r = userdata;

	note(r->node->w, NOTE_ANNOUNCE, r, repeat, 0);
	r->announced_at = ++r->calls;
	if (planted == PLANT_SILENT)
		r->sent_at = r->calls + 1;
	if (planted != PLANT_MUTE)
		network_announce(r);
}

static void on_changed(struct ha_vrrp *v, const struct ha_vrrp_change *c, void *userdata)
{
	struct router *r = userdata;
	struct world *w = r->node->w;

	note(w, NOTE_CHANGE, r, c->to, c->reason);
	r->changed_at = ++r->calls;
	coverage_change(r, c, !w->target || w->target == r ? w->cause : CAUSE_GROUP);
	invariants_changed(r, c);
}

static void on_dropped(struct ha_vrrp *v, enum ha_vrrp_drop drop, const struct ha_vrrp_meta *m,
		       void *userdata)
{
	struct router *r = userdata;

	note(r->node->w, NOTE_DROP, r, drop, 0);
	coverage_drop(ha_vrrp_state(v), drop);
}

static void on_remark(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *m,
		      void *userdata)
{
	struct router *r = userdata;

	coverage_remark(r->state_before, what);
	if (what == HA_VRRP_REMARK_NO_HEIR) {
		r->handing = false;
		r->heirless_at = ++r->calls;
	}
	if (what == HA_VRRP_REMARK_NO_SOURCE) {
		mark_sent(r, -1);
		r->last_sent_ns = now_of(r); /* it tried */
	}
}

const struct ha_vrrp_ops host_ops = {
    .size = sizeof(host_ops),
    .send = on_send,
    .addresses = on_addresses,
    .announce = on_announce,
    .changed = on_changed,
    .dropped = on_dropped,
    .remark = on_remark,
#if SIM_CRYPTO
    .hmac = hmac_openssl,
#endif
};
