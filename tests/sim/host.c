/* SPDX-License-Identifier: MIT */
/*
 * A node: its clock, its process with the routers in it, the addresses its kernel holds, and what the
 * process does when the engine calls. Every call into the engine goes through before() and after().
 */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vrrp/auth.h"
#if SIM_CRYPTO
#include "adapters/hmac_openssl.h"
#endif

enum { FOR_LATENESS = 200, FOR_SEND_ERROR };

/* ---- clocks ---- */

uint64_t local_ns(const struct node *n, uint64_t true_ns)
{
	int64_t since = (int64_t)(true_ns - n->w->start_ns);

	return true_ns + (uint64_t)n->shift_ns + (uint64_t)(since / 1000000 * n->drift_ppm) +
	       (uint64_t)(since % 1000000 * n->drift_ppm / 1000000);
}

/* The first moment at which the node's clock shows it. */
static uint64_t true_ns(const struct node *n, uint64_t local)
{
	int64_t since = (int64_t)(local - (uint64_t)n->shift_ns - n->w->start_ns);
	uint64_t t = n->w->start_ns + (uint64_t)since;
	int64_t rate = 1000000 + n->drift_ppm;

	if (!n->drift_ppm)
		return t;
	t -= (uint64_t)(since / rate * n->drift_ppm + since % rate * n->drift_ppm / rate);
	while (local_ns(n, t) > local)
		t--;
	while (local_ns(n, t) < local)
		t++;
	return t;
}

/* CLOCK_REALTIME is kept right: by NTP, and after a suspend from the machine's own clock. */
static uint64_t realtime_offset_ns(const struct node *n)
{
	return UINT64_C(1700000000) * SECOND - (uint64_t)n->shift_ns;
}

static uint64_t now_of(const struct router *r)
{
	return local_ns(r->node, r->node->w->now_ns);
}

/* ---- calls into the engine ---- */

static bool is_mate(const struct router *a, const struct router *b)
{
	const struct plan *p = &a->node->w->plan;

	return a == b || (p->vr[a->vr].group && p->vr[a->vr].group == p->vr[b->vr].group);
}

/* All that a call to one may change: itself and the members of its group. */
#define for_each_mate(m, r)                                         \
	for (struct router *m = (r)->node->router;                  \
	     m < (r)->node->router + (r)->node->w->plan.n_vrs; m++) \
		if (m->v && is_mate(m, r))

static void before(struct router *r, enum cause cause)
{
	struct world *w = r->node->w;

	w->target = r;
	w->cause = cause;
	for_each_mate(m, r)
	{
		m->calls = m->sent_at = m->resigned_at = m->up_at = m->down_at = m->announced_at =
		    m->changed_at = m->heirless_at = m->n_sent = 0;
		m->state_before = ha_vrrp_state(m->v);
	}
	w->allocations = allocations;
}

void host_arm(struct router *r)
{
	struct world *w = r->node->w;
	uint64_t deadline = ha_vrrp_deadline(r->v), late = 0, due;

	if (deadline == HA_VRRP_NEVER || r->node->stalled) {
		heap_disarm(&w->events, &r->timer.due);
		return;
	}
	if (w->chaos && plan_has(&w->plan, EVIL_LATE)) {
		struct dice d = dice_for(w->plan.seed ^ deadline, FOR_LATENESS, r->index);

		if (dice_of_1000(&d, 200))
			late = dice_below(&d, dice_of_1000(&d, 50) ? 10 * SECOND : 5 * MS);
	}
	due = true_ns(r->node, deadline);
	if (w->now_ns > due + late)
		late = w->now_ns - due;
	r->late_ns = late;
	if (planted == PLANT_STARVED && w->cause == CAUSE_BAD)
		late += r->part.interval_cs * NS_PER_CS;
	world_arm(w, &r->timer, due + late);
}

/* From here on no timer is late. */
void host_punctual(struct world *w)
{
	for (unsigned i = 0; i < w->plan.n_nodes; i++)
		for (unsigned v = 0; v < w->plan.n_vrs; v++)
			if (w->node[i].router[v].v) {
				w->node[i].router[v].last_sent_ns =
				    local_ns(&w->node[i], w->now_ns);
				w->node[i].router[v].was_late_ns = 0;
				host_arm(&w->node[i].router[v]);
			}
}

/* As a host does that must survive a crash: adverts on time are not worth a freezing. */
static void keep(struct router *r)
{
	if (r->kept_len > 0 && r->kept_revision == ha_vrrp_revision(r->v))
		return;
	r->kept_len = ha_vrrp_freeze(r->v, r->kept, sizeof(r->kept));
	r->kept_revision = ha_vrrp_revision(r->v);
}

static void after(struct router *r, const struct packet *p)
{
	struct world *w = r->node->w;

	if (allocations != w->allocations)
		broken(w, I9, "node %u vr %u allocated while it ran", r->node->id, r->vr);
	for_each_mate(m, r)
	{
		bool target = m == r || !w->target;

		if (target && !m->changed_at)
			coverage_stay(m, m->state_before, w->cause);
		lockstep(m, target ? w->cause : CAUSE_GROUP, p);
		invariants_after(m);
		keep(m);
		host_arm(m);
	}
	w->target = NULL;
}

/* ---- callbacks ---- */

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

static const struct ha_vrrp_ops ops = {
    .size = sizeof(ops),
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

/* ---- making ---- */

struct ha_ip host_source(const struct plan *p, unsigned vr, unsigned node)
{
	uint8_t link = (uint8_t)p->vr[vr].link;
	uint8_t last = (uint8_t)(p->crossed && (link & 1) ? SIM_NODES - node : node + 1);

	if (p->vr[vr].family == AF_INET6)
		return (struct ha_ip){AF_INET6, {0xfe, 0x80, [14] = link, last}};
	return (struct ha_ip){AF_INET, {10, link, 0, last}};
}

struct ha_ip host_address(const struct plan *p, unsigned vr, unsigned i)
{
	uint8_t link = (uint8_t)p->vr[vr].link, last = (uint8_t)(200 + i);

	if (p->vr[vr].family == AF_INET)
		return (struct ha_ip){AF_INET, {10, link, (uint8_t)(10 + vr), last}};
	if (i || p->vr[vr].any_first_address)
		return (struct ha_ip){AF_INET6,
				      {0x20, 1, 0xd, 0xb8, [13] = link, (uint8_t)vr, last}};
	return (struct ha_ip){AF_INET6, {0xfe, 0x80, [13] = link, (uint8_t)vr, last}};
}

static size_t list_peers(const struct world *w, const struct router *r, struct ha_ip *ret)
{
	size_t n = 0;

	for (unsigned i = 0; w->plan.vr[r->vr].unicast && i < w->plan.n_nodes; i++)
		if (i != r->node->id)
			ret[n++] = host_source(&w->plan, r->vr, i);
	return n;
}

static void make_router(struct router *r)
{
	struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	static const struct ha_vrrp_key key = {.id = 1, .secret = "in a vault", .len = 10};
	struct ha_ip address[4], peer[SIM_NODES];
	struct ha_vrrp_opts o = {
	    .size = sizeof(o),
	    .vrid = vr->vrid,
	    .family = vr->family,
	    .version = r->part.version,
	    .v2_too = vr->migrates && r->part.version == 3,
	    .priority = r->part.priority,
	    .advert_interval_cs = r->part.interval_cs,
	    .down_timer_adverts = vr->down_timer_adverts,
	    .no_preempt = r->part.no_preempt,
	    .preempt_delay_ns = vr->preempt_delay_ns,
	    .no_reply = vr->no_reply,
	    .last_advert = vr->last_advert,
	    .source = r->source,
	    .addresses = address,
	    .n_addresses = vr->n_addresses + (r->part.more ? 1u : 0u),
	    .any_first_address = vr->any_first_address,
	    .peers = peer,
	    .n_peers = list_peers(w, r, peer),
	    .auth_pass = vr->password,
	    .checksum = r->part.checksum,
	    .learn_checksum = vr->learn_checksum,
	    .auth = vr->auth,
	    .keys = &key,
	    .n_keys = vr->auth ? 1 : 0,
	    .realtime_offset_ns = realtime_offset_ns(r->node),
	    .garp_delay_ns = vr->garp_delay_ns,
	    .garp_refresh_ns = vr->garp_refresh_ns,
	};

	for (unsigned i = 0; i < o.n_addresses; i++)
		address[i] = host_address(&w->plan, r->vr, i);
	if (planted == PLANT_HASTY)
		o.preempt_delay_ns = 0;
	if (planted == PLANT_PREEMPTS)
		o.no_preempt = false;
	if (planted == PLANT_MISCOUNTS)
		o.down_timer_adverts = (uint8_t)(vr->down_timer_adverts - 1);
	if (ha_vrrp_new(&o, &ops, r, &r->v) < 0)
		broken(w, I_SIMULATOR, "cannot make a router: %s", ha_vrrp_check(&o));
	if (vr->group && planted != PLANT_TORN &&
	    ha_vrrp_group_add(r->node->group[vr->group], r->v) < 0)
		broken(w, I_SIMULATOR, "cannot join the group");
}

/* The process: its objects, without a word on the wire. */
void host_make(struct node *n)
{
	struct world *w = n->w;

	n->alive = true;
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		unsigned group = w->plan.vr[i].group;

		if (group && !n->group[group] &&
		    ha_vrrp_group_new(NULL, NULL, &n->group[group]) < 0)
			broken(w, I_SIMULATOR, "cannot make a group");
		if (world_has_vr(w, i))
			make_router(&n->router[i]);
	}
}

static void forget(struct router *r)
{
	if (r->captured)
		packet_free(r->node->w, r->captured);
	r->captured = NULL;
}

void host_boot(struct node *n)
{
	struct world *w = n->w;

	note(w, NOTE_NODE, NULL, n->id, NODE_BOOTS);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		r->part = w->plan.vr[i].part[n->id];
		r->source = host_source(&w->plan, i, n->id);
		r->holds = false; /* it removes what a crash left behind */
		r->last_sent_ns = r->backup_ns = r->last_heard_ns = r->resigned_ns =
		    r->first_lower_ns = r->last_reply_ns = 0;
		r->reconfigured = r->handing = r->stands_by = r->lost = false;
		r->told_ns = r->peer_down_ns = 0;
		memset(r->weight, 0, sizeof(r->weight));
		forget(r);
	}
	host_make(n);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v) {
			n->router[i].kept_len = 0;
			lockstep_init(&n->router[i]);
		}
}

void host_free(struct node *n)
{
	struct world *w = n->w;

	for (unsigned g = 0; g <= SIM_VRS; g++) {
		ha_vrrp_group_free(n->group[g]);
		n->group[g] = NULL;
	}
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		heap_disarm(&w->events, &r->timer.due);
		if (r->v && ha_vrrp_state(r->v) == HA_VRRP_ACTIVE)
			w->actives[i]--;
		ha_vrrp_free(r->v);
		r->v = NULL;
	}
}

static void end_process(struct node *n)
{
	for (; n->queued; n->queued--)
		packet_free(n->w, n->queue[n->queued - 1]);
	host_free(n);
	n->alive = n->stalled = n->suspended = false;
	heap_disarm(&n->w->events, &n->wake.due);
}

void host_power_off(struct node *n)
{
	note(n->w, NOTE_NODE, NULL, n->id, NODE_DIES);
	end_process(n);
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		n->router[i].holds = false;
}

void host_crash(struct node *n)
{
	note(n->w, NOTE_NODE, NULL, n->id, NODE_CRASHES);
	end_process(n);
}

/* ---- events ---- */

/* Starts or stops every router, a group in one step. */
static void start_or_stop(struct node *n, bool start)
{
	struct world *w = n->w;
	uint64_t now = local_ns(n, w->now_ns);
	uint32_t done = 0;

	note(w, NOTE_NODE, NULL, n->id, start ? NODE_STARTS : NODE_STOPS);
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];
		unsigned group = w->plan.vr[i].group;

		if (!r->v || (done >> i & 1))
			continue;
		before(r, start ? CAUSE_STARTUP : CAUSE_SHUTDOWN);
		if (group && planted != PLANT_TORN) {
			w->target = NULL;
			if (start)
				ha_vrrp_group_start(n->group[group], now);
			else
				ha_vrrp_group_stop(n->group[group], now);
		} else if (start) {
			ha_vrrp_start(r->v, now);
		} else {
			ha_vrrp_stop(r->v, now);
		}
		for_each_mate(m, r) done |= 1u << m->vr;
		after(r, NULL);
	}
}

void host_start(struct node *n)
{
	start_or_stop(n, true);
}

void host_stop(struct node *n)
{
	start_or_stop(n, false);
}

void host_serve(struct router *r)
{
	before(r, CAUSE_TIMER);
	r->was_late_ns += r->late_ns;
	ha_vrrp_status(r->v, &r->node->w->before);
	ha_vrrp_tick(r->v, now_of(r));
	r->served_ns = now_of(r);
	after(r, NULL);
}

void host_set_fault(struct router *r, uint32_t bit, bool on)
{
	before(r, on ? CAUSE_FAULT : CAUSE_RECOVER);
	ha_vrrp_set_fault(r->v, now_of(r), bit, on);
	after(r, NULL);
}

/* Of one virtual router, or of all of its group: its members have one priority. */
void host_set_priority(struct node *n, unsigned group, unsigned vr, unsigned priority)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		if (!r->v || (i != vr && (!group || n->w->plan.vr[i].group != group)))
			continue;
		before(r, CAUSE_PRIORITY);
		ha_vrrp_set_priority(r->v, now_of(r), priority);
		after(r, NULL);
	}
}

void host_set_source(struct router *r, const struct ha_ip *source)
{
	r->source = *source;
	if (ha_vrrp_set_source(r->v, source) < 0)
		broken(r->node->w, I_SIMULATOR, "the source was refused");
}

void host_announce(struct router *r)
{
	before(r, CAUSE_ANNOUNCE);
	ha_vrrp_announce(r->v, now_of(r));
	after(r, NULL);
}

void host_hand_over(struct router *r)
{
	struct node *n = r->node;
	unsigned group = n->w->plan.vr[r->vr].group;
	bool active = ha_vrrp_state(r->v) == HA_VRRP_ACTIVE;

	before(r, CAUSE_HAND_OVER);
	r->model.on = false; /* the RFC knows nothing like it */
	for_each_mate(m, r) m->handing |= active;
	if (group && planted != PLANT_TORN) {
		n->w->target = NULL;
		ha_vrrp_group_hand_over(n->group[group], now_of(r));
	} else {
		ha_vrrp_hand_over(r->v, now_of(r));
	}
	after(r, NULL);
}

/* What netlink says: they are gone, and, when the kernel took them back, that they are there. */
static void tell_held(struct router *r)
{
	if (!r->told_ns) {
		r->told_ns = now_of(r);
		r->model.on = false;
		before(r, CAUSE_HELD);
		ha_vrrp_set_held(r->v, now_of(r), false);
		after(r, NULL);
	}
	if (!r->holds)
		return;
	r->lost = false;
	r->told_ns = 0;
	before(r, CAUSE_HELD);
	ha_vrrp_set_held(r->v, now_of(r), true);
	after(r, NULL);
}

/* Somebody removes the addresses, once or each time; netlink tells, or its buffer overran. */
void host_lose_addresses(struct router *r, bool told, bool stubborn)
{
	if (ha_vrrp_state(r->v) == HA_VRRP_ACTIVE && r->holds) {
		r->holds = false;
		r->lost = true;
		r->stubborn = stubborn;
		r->told_ns = 0;
	}
	if (told)
		tell_held(r);
}

void host_resync(struct node *n)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		if (n->router[i].v && n->router[i].lost)
			tell_held(&n->router[i]);
}

void host_peer_down(struct router *r, const struct ha_ip *peer)
{
	before(r, CAUSE_PEER_DOWN);
	r->model.on = false;
	r->peer_down_ns = now_of(r);
	ha_vrrp_peer_down(r->v, now_of(r), peer);
	after(r, NULL);
}

void host_saw(struct router *r, const struct ha_vrrp_sighting *s)
{
	before(r, CAUSE_SAW);
	ha_vrrp_saw(r->v, now_of(r), s);
	after(r, NULL);
}

static int bounded(int priority)
{
	return priority < 1 ? 1 : priority > 254 ? 254 : priority;
}

/* The sum of keepalived's rules, added by hand. */
static void check_sum(struct router *r)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};
	int sum = r->part.priority;

	for (unsigned i = 0; i < SIM_TRACKERS; i++)
		sum += r->weight[i];
	ha_vrrp_status(r->v, &s);
	if (s.priority != bounded(sum))
		broken(r->node->w, I_MODEL, "node %u vr %u has priority %u, by its trackers %d",
		       r->node->id, r->vr, s.priority, bounded(sum));
}

void host_track(struct node *n, unsigned group, unsigned vr, unsigned tracker, int weight, bool up)
{
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++) {
		struct router *r = &n->router[i];

		if (!r->v || r->part.priority == HA_VRRP_PRIORITY_OWNER ||
		    (i != vr && (!group || n->w->plan.vr[i].group != group)))
			continue;
		before(r, CAUSE_PRIORITY);
		r->weight[tracker] = up == (weight > 0) ? weight : 0;
		ha_vrrp_track(r->v, now_of(r), tracker, weight, up);
		check_sum(r);
		after(r, NULL);
	}
}

/* ---- receiving ---- */

static uint64_t counted(const struct ha_vrrp *v)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	uint64_t n = 0;

	ha_vrrp_stats(v, &s);
	n = s.adverts_received + s.adverts_sent + s.send_errors + s.replies_withheld;
	for (unsigned i = 0; i < HA_VRRP_STATS_SLOTS; i++)
		n += s.dropped[i] + s.remarks[i];
	return n;
}

/* I7: nothing moved but one counter. */
static void check_dropped(struct router *r, const struct ha_vrrp_status *was, uint64_t deadline,
			  uint64_t count)
{
	struct ha_vrrp_status is = {.size = sizeof(is)};
	struct world *w = r->node->w;

	ha_vrrp_status(r->v, &is);
	if (memcmp(&is, was, sizeof(is)) || deadline != ha_vrrp_deadline(r->v))
		broken(w, I7, "node %u vr %u: a bad packet changed something", r->node->id, r->vr);
	if (counted(r->v) != count + 1)
		broken(w, I7, "node %u vr %u: a bad packet moved %d counters", r->node->id, r->vr,
		       (int)(counted(r->v) - count));
}

/* A right advert may be dropped: by who does not run, twice or out of order, in the other dress. */
static bool is_excused(const struct vr_plan *vr, int drop)
{
	return drop == HA_VRRP_DROP_NOT_RUNNING || (vr->auth && drop == HA_VRRP_DROP_REPLAY) ||
	       (vr->migrates &&
		(drop == HA_VRRP_DROP_VERSION || drop == HA_VRRP_DROP_OTHER_VERSION));
}

/* For who plays it again. */
static void capture(struct router *r, const struct packet *p)
{
	struct packet *copy = r->captured ? r->captured : packet_new(r->node->w);

	if (!copy)
		return;
	*copy = *p;
	copy->meta.header = p->meta.header ? copy->header : NULL;
	r->captured = copy;
}

int host_receive(struct router *r, const struct packet *p)
{
	struct world *w = r->node->w;
	struct ha_vrrp_status was = {.size = sizeof(was)};
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	bool doubtful = p->mark != PACKET_GOOD || w->inconsistent || vr->auth || vr->migrates;
	uint64_t deadline = 0, count = 0;
	int drop;

	if (planted == PLANT_DEAF && !network_message(w, r->vr, p)[2])
		return 0;
	if (planted == PLANT_TWINS && ha_vrrp_state(r->v) == HA_VRRP_ACTIVE && r->vr == 0)
		return 0;
	before(r, CAUSE_ADVERT);
	if (doubtful) {
		ha_vrrp_status(r->v, &was);
		deadline = ha_vrrp_deadline(r->v);
		count = counted(r->v);
	}
	drop = ha_vrrp_receive(r->v, now_of(r), &p->meta, p->bytes, p->len);
	if (drop > 0 && planted == PLANT_GULLIBLE)
		ha_vrrp_set_priority(r->v, now_of(r), 9);
	if (drop > 0)
		w->cause = CAUSE_BAD;
	if (drop > 0 && doubtful)
		check_dropped(r, &was, deadline, count);
	if (drop > 0 && p->mark == PACKET_GOOD && !w->inconsistent && !is_excused(vr, drop))
		broken(w, I7, "node %u vr %u dropped a good advert: %s", r->node->id, r->vr,
		       ha_vrrp_drop_name(drop));
	if (!drop) {
		note(w, NOTE_HEARD, r, network_message(w, r->vr, p)[2], 0);
		invariants_heard(r, p);
		if (vr->auth && p->mark == PACKET_GOOD)
			capture(r, p);
		if (p->mark == PACKET_FLIPPED)
			broken(w, I7, "node %u vr %u accepted a bad packet", r->node->id, r->vr);
	}
	if (p->expect >= 0 && drop != p->expect && drop != HA_VRRP_DROP_NOT_RUNNING)
		broken(w, I7, "node %u vr %u: \"%s\" where \"%s\" is due", r->node->id, r->vr,
		       ha_vrrp_drop_name(drop), ha_vrrp_drop_name(p->expect));
	after(r, p);
	return drop;
}

/* A packet is there: read now, or waits in the socket of a process that stands still. */
void host_hears(struct packet *p)
{
	struct node *n = p->to->node;
	struct world *w = n->w;

	if (!n->alive || !p->to->v || (n->stalled && n->queued == SIM_QUEUE)) {
		packet_free(w, p);
		return;
	}
	if (n->stalled) {
		n->queue[n->queued++] = p;
		return;
	}
	host_receive(p->to, p);
	packet_free(w, p);
}

/* ---- stalls ---- */

void host_stall(struct node *n, uint64_t length_ns, bool suspended)
{
	if (n->stalled)
		return;
	note(n->w, NOTE_NODE, NULL, n->id, NODE_STALLS);
	n->stalled = true;
	n->suspended = suspended;
	n->stall_ns = n->w->now_ns;
	for (unsigned i = 0; i < n->w->plan.n_vrs; i++)
		heap_disarm(&n->w->events, &n->router[i].timer.due);
	n->wake.kind = EVENT_WAKE;
	world_arm(n->w, &n->wake, n->w->now_ns + length_ns);
}

static void read_all(struct node *n)
{
	for (unsigned i = 0; i < n->queued; i++) {
		host_receive(n->queue[i]->to, n->queue[i]);
		packet_free(n->w, n->queue[i]);
	}
	n->queued = 0;
}

void host_wake(struct node *n)
{
	struct world *w = n->w;
	bool timers_first = plan_has(&w->plan, EVIL_TIMERS_FIRST);

	if (!n->stalled)
		return;
	note(w, NOTE_NODE, NULL, n->id, NODE_WAKES);
	if (n->suspended) /* its clock stood still, too */
		n->shift_ns -= (int64_t)(local_ns(n, w->now_ns) - local_ns(n, n->stall_ns));
	n->stalled = n->suspended = false;
	heap_disarm(&w->events, &n->wake.due);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v)
			ha_vrrp_set_realtime_offset(n->router[i].v, realtime_offset_ns(n));
	for (unsigned i = 0; i < w->plan.n_vrs; i++) { /* nobody blames a sleeper */
		n->router[i].last_sent_ns = local_ns(n, w->now_ns);
		if (n->router[i].told_ns)
			n->router[i].told_ns = local_ns(n, w->now_ns);
	}
	if (!timers_first)
		read_all(n);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (n->router[i].v)
			host_serve(&n->router[i]);
	read_all(n);
}
