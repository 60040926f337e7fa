/* SPDX-License-Identifier: MIT */
/* The clock, the events in their order, and the acts of a run: chaos, calm, and the end of an Active. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool world_has_node(const struct world *w, unsigned node)
{
	return node < w->plan.n_nodes && (w->plan.nodes >> node & 1);
}

bool world_has_vr(const struct world *w, unsigned vr)
{
	return vr < w->plan.n_vrs && (w->plan.vrs >> vr & 1);
}

/* ---- trace and failure ---- */

static void hash(struct world *w, uint64_t x)
{
	w->hash = (w->hash ^ x) * 0x100000001b3u;
	w->hash ^= w->hash >> 29;
}

static void print(const struct world *w, enum note what, const struct router *r, uint64_t a,
		  uint64_t b)
{
	printf("%12.3f ms  ", (double)w->now_ns / (double)MS);
	if (r)
		printf("node %u vr %u ", r->node->id, r->vr);
	switch (what) {
	case NOTE_SEND:
		printf("sends priority %u, hash of the advert %08x\n", (unsigned)a, (unsigned)b);
		break;
	case NOTE_SEND_FAILS:
		printf("cannot send\n");
		break;
	case NOTE_CHANGE:
		printf("is %s: %s\n", ha_vrrp_state_name((enum ha_vrrp_state)a),
		       ha_vrrp_reason_name((enum ha_vrrp_reason)b));
		break;
	case NOTE_ADDRESSES:
		printf("%s the addresses\n", a ? "takes" : "gives up");
		break;
	case NOTE_ANNOUNCE:
		printf("announces, %u times\n", (unsigned)a);
		break;
	case NOTE_HEARD:
		printf("hears priority %u\n", (unsigned)a);
		break;
	case NOTE_DROP:
		printf("drops a packet: %s\n", ha_vrrp_drop_name((enum ha_vrrp_drop)a));
		break;
	case NOTE_LOST:
		printf("is not reached by a packet\n");
		break;
	case NOTE_FAULT:
		printf("step %u: %s\n", (unsigned)a, fault_names[b]);
		break;
	case NOTE_NODE:
		printf("node %u %s\n", (unsigned)a,
		       (const char *[]){"dies", "boots", "stalls", "wakes", "crashes",
					"is upgraded", "stops", "starts"}[b]);
		break;
	case NOTE_ACT:
		printf("---- %s\n",
		       (const char *[]){"chaos", "mended", "calm", "the end of node"}[a]);
		break;
	}
}

void note(struct world *w, enum note what, const struct router *r, uint64_t a, uint64_t b)
{
	hash(w, w->now_ns);
	hash(w, (uint64_t)what << 32 | (r ? r->index : UINT32_MAX));
	hash(w, a);
	hash(w, b);
	if (w->trace)
		print(w, what, r, a, b);
}

/* The first failure is the run's; what follows may be its shadow. */
void broken(struct world *w, enum invariant i, const char *format, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = i;
	va_start(ap, format);
	vsnprintf(w->failure, sizeof(w->failure), format, ap);
	va_end(ap);
	if (w->trace)
		printf("%12.3f ms  %s: %s\n", (double)w->now_ns / (double)MS, invariant_name(i),
		       w->failure);
}

/* ---- events ---- */

void world_arm(struct world *w, struct event *e, uint64_t at_ns)
{
	if (at_ns < w->now_ns)
		at_ns = w->now_ns;
	if (heap_arm(&w->events, &e->due, at_ns) < 0)
		broken(w, I_SIMULATOR, "out of memory");
}

#define OF_EVENT(e, type, member) ((type *)(void *)((char *)(e)-offsetof(type, member)))

static void dispatch(struct world *w, struct event *e)
{
	switch (e->kind) {
	case EVENT_PACKET:
		host_hears(OF_EVENT(e, struct packet, arrival));
		break;
	case EVENT_TIMER:
		host_serve(OF_EVENT(e, struct router, timer));
		break;
	case EVENT_STEP:
		faults_step(w, &w->plan.step[e - w->step]);
		break;
	case EVENT_WAKE:
		host_wake(OF_EVENT(e, struct node, wake));
		break;
	case EVENT_BEAT:
		network_beat(w, OF_EVENT(e, struct stranger, beat));
		break;
	}
}

void world_run(struct world *w, uint64_t until_ns)
{
	struct heap_node *first;

	while (!w->failed && (first = heap_pop_due(&w->events, until_ns))) {
		if (first->deadline_ns > w->now_ns)
			w->now_ns = first->deadline_ns;
		dispatch(w, OF_EVENT(first, struct event, due));
	}
	if (!w->failed && until_ns > w->now_ns)
		w->now_ns = until_ns;
}

/* ---- the acts ---- */

static void chaos(struct world *w)
{
	w->chaos = true;
	note(w, NOTE_ACT, NULL, 0, 0);
	for (unsigned i = 0; i < w->plan.n_steps; i++) {
		w->step[i].kind = EVENT_STEP;
		if (w->plan.steps >> i & 1)
			world_arm(w, &w->step[i], w->now_ns + w->plan.step[i].at_ns);
	}
	world_run(w, w->now_ns + w->plan.chaos_ns);
}

static uint64_t longest_ns(const struct world *w, uint64_t *ret_preempt, uint64_t *ret_interval)
{
	uint64_t down = 0;

	*ret_preempt = *ret_interval = 0;
	for (unsigned i = 0; i < w->plan.n_vrs; i++) {
		const struct vr_plan *vr = &w->plan.vr[i];

		if (vr->preempt_delay_ns > *ret_preempt)
			*ret_preempt = vr->preempt_delay_ns;
		if (vr->garp_refresh_ns > *ret_preempt)
			*ret_preempt = vr->garp_refresh_ns;
		if (vr->garp_delay_ns != HA_VRRP_NEVER &&
		    *ret_preempt < vr->garp_refresh_ns + vr->garp_delay_ns)
			*ret_preempt = vr->garp_refresh_ns + vr->garp_delay_ns;
		for (unsigned n = 0; n < w->plan.n_nodes; n++) {
			uint64_t d = invariants_down_ns(w, i, 1, vr->part[n].interval_cs);

			if (d > down)
				down = d;
			if (vr->part[n].interval_cs * NS_PER_CS > *ret_interval)
				*ret_interval = vr->part[n].interval_cs * NS_PER_CS;
		}
	}
	return down;
}

/* Everything works again; what was sent in chaos arrives before calm begins. */
static void calm(struct world *w)
{
	uint64_t preempt, interval, down = longest_ns(w, &preempt, &interval);

	note(w, NOTE_ACT, NULL, 1, 0);
	faults_mend(w);
	world_run(w, w->now_ns + interval + 5 * w->plan.delay_ns);
	w->chaos = w->inconsistent = false;
	host_punctual(w);
	w->calm_ns = w->now_ns;
	note(w, NOTE_ACT, NULL, 2, 0);
	/* Twice Down, by an interval that may have been learned in chaos, what preemption waits for,
	 * and the second between announcements. */
	if (w->plan.faults >> FAULT_RECONFIGURE & 1)
		down *= 3;
	world_run(w, w->now_ns + 2 * down + preempt + SECOND + 5 * interval + w->plan.delay_ns +
			 invariants_slack_ns(w, 2 * down + preempt));
	if (!w->failed)
		invariants_calm(w);
}

/* I3: an Active dies silently, or says that it goes; in time there is another. */
struct window {
	bool waits;
	uint64_t earliest_ns, latest_ns, took_ns;
};

static unsigned active_of(const struct world *w, unsigned vr)
{
	for (unsigned n = 0; n < w->plan.n_nodes; n++)
		if (world_has_node(w, n) && w->node[n].alive &&
		    ha_vrrp_state(w->node[n].router[vr].v) == HA_VRRP_ACTIVE)
			return n;
	return SIM_NODES;
}

static struct window window_of(const struct world *w, unsigned vr, const struct node *gone,
			       bool silent)
{
	const struct router *r = &gone->router[vr];
	uint64_t slack, best = 0;
	struct window win = {.waits = true};
	uint64_t interval = r->part.interval_cs * NS_PER_CS, down, missed;
	/* last_sent_ns is local; the event lies at most an interval back, so drift is within slack */
	uint64_t sent = w->now_ns - (local_ns(gone, w->now_ns) - r->last_sent_ns);

	for (unsigned n = 0; n < w->plan.n_nodes; n++)
		if (world_has_node(w, n) && n != gone->id && r->part.priority &&
		    w->node[n].router[vr].part.priority > best)
			best = w->node[n].router[vr].part.priority;
	if (!best) { /* nobody is left to take over */
		win.waits = false;
		return win;
	}
	down = invariants_down_ns(w, vr, (unsigned)best, r->part.interval_cs);
	missed = w->plan.vr[vr].down_timer_adverts * interval;
	slack = invariants_slack_ns(w, down + interval);
	win.earliest_ns = silent ? sent + missed - slack : w->now_ns;
	win.latest_ns = silent ? sent + down : w->now_ns + down - missed;
	win.latest_ns += 2 * w->plan.delay_ns + slack;
	return win;
}

/* The members of a group wait for the last of them. */
static void join_windows(const struct world *w, struct window *win)
{
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		for (unsigned j = 0; j < w->plan.n_vrs; j++) {
			if (!win[i].waits || !win[j].waits || !w->plan.vr[i].group ||
			    w->plan.vr[i].group != w->plan.vr[j].group)
				continue;
			if (win[j].earliest_ns < win[i].earliest_ns)
				win[i].earliest_ns = win[j].earliest_ns;
			if (win[j].latest_ns > win[i].latest_ns)
				win[i].latest_ns = win[j].latest_ns;
		}
}

static void watch(struct world *w, unsigned vr, const struct window *win)
{
	if (!win->took_ns)
		broken(w, I3, "vr %u: nobody took over in time", vr);
	else if (win->took_ns < win->earliest_ns)
		broken(w, I3, "vr %u: a takeover %.3f ms early", vr,
		       (double)(win->earliest_ns - win->took_ns) / (double)MS);
}

static void await(struct world *w, struct window *win)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (win[i].waits && win[i].latest_ns > last)
			last = win[i].latest_ns;
	/* From event to event: the moment of each takeover is exact. */
	while (!w->failed) {
		uint64_t next = heap_deadline(&w->events);

		for (unsigned i = 0; i < w->plan.n_vrs; i++)
			if (win[i].waits && !win[i].took_ns && active_of(w, i) < SIM_NODES)
				win[i].took_ns = w->now_ns;
		if (next > last)
			break;
		world_run(w, next);
	}
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (win[i].waits && win[i].took_ns <= win[i].latest_ns)
			watch(w, i, &win[i]);
		else if (win[i].waits)
			broken(w, I3, "vr %u: a takeover %.3f ms late", i,
			       (double)(win[i].took_ns - win[i].latest_ns) / (double)MS);
}

static void finale(struct world *w)
{
	struct dice d = dice_for(w->plan.seed, FOR_FINALE, 0);
	struct window win[SIM_VRS] = {{0}};
	bool silent = dice_of_1000(&d, 700);
	unsigned vr = (unsigned)dice_below(&d, w->plan.n_vrs), id;
	struct node *gone;

	world_run(w, w->now_ns + dice_below(&d, SECOND));
	if (w->failed || !world_has_vr(w, vr))
		return;
	id = active_of(w, vr);
	if (id == SIM_NODES) {
		broken(w, I1, "vr %u has no Active any more", vr);
		return;
	}
	gone = &w->node[id];
	note(w, NOTE_ACT, NULL, 3, id);
	for (unsigned i = 0; i < w->plan.n_vrs; i++)
		if (world_has_vr(w, i) && ha_vrrp_state(gone->router[i].v) == HA_VRRP_ACTIVE)
			win[i] = window_of(w, i, gone, silent);
	join_windows(w, win);
	if (!silent)
		host_stop(gone);
	host_power_off(gone);
	await(w, win);
}

void world_play(const struct plan *p, bool trace, struct outcome *ret)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->plan = *p;
	w->trace = trace;
	w->now_ns = w->start_ns = 1000 * SECOND;
	network_init(w);
	faults_init(w);
	for (unsigned i = 0; i < p->n_nodes; i++) {
		if (!world_has_node(w, i))
			continue;
		host_boot(&w->node[i]);
		host_start(&w->node[i]);
	}
	chaos(w);
	if (!w->failed)
		calm(w);
	if (!w->failed)
		finale(w);
	for (unsigned i = 0; i < p->n_nodes; i++)
		if (w->node[i].alive)
			host_free(&w->node[i]);
	heap_fini(&w->events);
	*ret = (struct outcome){.failed = w->failed,
				.at_ns = w->now_ns,
				.hash = w->hash,
				.simulated_ns = w->now_ns - w->start_ns};
	memcpy(ret->failure, w->failure, sizeof(ret->failure));
	free(w);
}
