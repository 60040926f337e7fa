/* SPDX-License-Identifier: MIT */
/*
 * Virtual servers: health says which real servers are in use, the configuration says what they are,
 * and a backend puts it into the kernel: IPVS where there is one, else nftables.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libha/ipvs.h>
#include <libha/nft.h>
#include <libha/service.h>

#include "conf/pairs.h"
#include "kernel/kernel.h"
#include "kernel/service.h"
#include "log.h"
#include "model.h"

#define NS_PER_MS UINT64_C(1000000)
#define COUNT_GAP_NS (1000 * NS_PER_MS) /* who asks more often gets what was read last */
#define LARGE_TABLE 1000		/* places of real servers */
#define SLICE_PLACES 400 /* likewise: with their services about what goes to IPVS at once */

static const char *backend_name(const struct services *s)
{
	return s->ipvs ? "IPVS" : "nftables";
}

static enum msg_backend backend_of(const struct services *s)
{
	return s->ipvs ? BACKEND_IPVS : s->nft ? BACKEND_NFT : BACKEND_NONE;
}

static int dump(struct services *s, struct ha_service_table **ret)
{
	return s->ipvs ? ha_ipvs_dump(s->ipvs, ret) : ha_nft_dump(s->nft, ret);
}

static int apply(struct services *s, const struct ha_service_plan *p,
		 const struct ha_service_apply_ops *ops)
{
	return s->ipvs ? ha_ipvs_apply(s->ipvs, p, ops, s) : ha_nft_apply(s->nft, p, ops, s);
}

/* The services that are ours to remove. */
static int build_ours(const struct services *s, struct ha_service_table **ret)
{
	if (s->had == s->conf)
		return services_build(s, s->conf, s->weight, ret); /* without what is refused */
	return services_list(s->had, NULL, ret);
}

/* ---- To the kernel ---- */

static void on_done(void *userdata, const struct ha_service_step *step, int error)
{
	const struct services *s = userdata;
	char text[HA_SERVICE_TEXT_SIZE] = "";

	ha_service_step_format(step, text, sizeof(text));
	if (!error)
		log_debug("%s: %s", backend_name(s), text);
	else if (error != -ECANCELED && !s->tries)
		log_err("%s: %s: %s%s", backend_name(s), text, strerror(-error),
			error == -ENOENT && s->ipvs ? ": perhaps the kernel lacks the scheduler "
						      "(modprobe ip_vs_NAME)"
						    : "");
}

/* What the kernel has, of which `ours` may be removed; NULL: all. */
static int read_claimed(struct services *s, const struct ha_service_table *ours,
			struct ha_service_table **ret)
{
	int r = dump(s, ret);

	if (r < 0)
		return r;
	s->audited_ns = loop_clock_ns();
	return ha_service_claim(*ret, ours);
}

static int read_table(struct services *s, struct ha_service_table **ret)
{
	struct ha_service_table *ours = NULL;
	int r = s->flush ? 0 : build_ours(s, &ours);

	if (r >= 0)
		r = read_claimed(s, ours, ret);
	ha_service_table_free(ours);
	return r;
}

/* *ret_steps: how much there was to do. */
static int bring(struct services *s, struct ha_service_table *have, struct ha_service_table *want,
		 size_t *ret_steps)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = on_done};
	struct ha_service_plan *plan = NULL;
	int r = ha_service_plan(want, have, &plan);

	*ret_steps = 0;
	if (r >= 0) {
		*ret_steps = ha_service_plan_count(plan);
		r = apply(s, plan, &ops);
	}
	s->known = !r;
	ha_service_plan_free(plan);
	return r;
}

/* Removes what is in `these` and in the kernel; NULL: all that is ours. */
static int bring_none(struct services *s, const struct ha_service_table *these)
{
	struct ha_service_table *have = NULL, *none = NULL;
	size_t steps;
	int r = ha_service_table_new(&none);

	if (r >= 0)
		r = these ? read_claimed(s, these, &have) : read_table(s, &have);
	if (r >= 0)
		r = bring(s, have, none, &steps);
	ha_service_table_free(have);
	ha_service_table_free(none);
	return r;
}

/* ---- What changed ---- */

/* What is not equal to what it was goes into the two tables; of a table of 40,000 servers that is mostly one virtual server. */
struct change {
	struct ha_service_table *have, *want;
	bool marked; /* a virtual server by firewall mark is among them */
};

static int change_new(struct change *ret)
{
	int r = ha_service_table_new(&ret->have);

	return r < 0 ? r : ha_service_table_new(&ret->want);
}

/*
 * nftables takes a change as a part only when neither table is empty, which would be a table that is made or removed; and whose flow is
 * whose it cannot say of marks without all services.
 */
static bool is_too_small(const struct services *s, const struct change *c)
{
	size_t have = ha_service_table_count(c->have), want = ha_service_table_count(c->want);

	return s->nft && (have || want) && (!have || !want || c->marked);
}

static void change_fini(struct change *c)
{
	ha_service_table_free(c->have);
	ha_service_table_free(c->want);
	*c = (struct change){0};
}

/* As it was, and as it is to be; one of the two may be NULL. */
static int add_change(const struct services *s, struct change *c, const struct conf_virtual *v,
		      const int32_t *weight, struct ha_service_table *t)
{
	for (size_t i = 0; i < v->n_listen; i++)
		c->marked |= v->listen[i].fwmark != 0;
	return services_add_virtual(s, v, weight, t);
}

/* What health wants is what we want. `c` NULL: nobody asks what it was before. */
static int take_wanted(struct services *s, struct change *c)
{
	size_t index = 0, first = 0;
	int err = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v && err >= 0;
	     v = v->next, index++) {
		size_t n = v->n_reals + 1, size = n * sizeof(*s->room);
		int r = weights_read(s->weights, index, first, s->room, n);

		if (r < 0) {
			log_warn("health asks for a weight that there is not");
		} else if (r && memcmp(&s->weight[first], s->room, size) != 0) {
			err = c ? add_change(s, c, v, &s->weight[first], c->have) : 0;
			memcpy(&s->weight[first], s->room, size);
			if (c && err >= 0)
				err = add_change(s, c, v, &s->weight[first], c->want);
		}
		first += n;
	}
	return err;
}

/* A virtual server of the configuration before, and whether it goes on as it was. */
struct before {
	const struct conf_virtual *virtual;
	const int32_t *weight;
	bool same;
};

static struct before *list_before(const struct services *s)
{
	struct before *b = calloc(s->had->n_virtuals + 1, sizeof(*b)), *to = b;
	const int32_t *weight = s->had_weight;

	for (const struct conf_virtual *v = b ? s->had->virtuals : NULL; v; v = v->next) {
		*to++ = (struct before){.virtual = v, .weight = weight};
		weight += v->n_reals + 1;
	}
	return b;
}

static bool goes_on(const struct before *b, const struct conf_virtual *v, const int32_t *weight)
{
	return model_same(b->virtual, v) &&
	       !memcmp(b->weight, weight, (v->n_reals + 1) * sizeof(*weight));
}

/* One that does not change, beside those that do: see is_too_small(). */
static int add_witness(const struct services *s, struct change *c, const struct conf_virtual *v,
		       const int32_t *weight)
{
	int r = v && s->nft ? add_change(s, c, v, weight, c->have) : 0;

	return v && s->nft && r >= 0 ? add_change(s, c, v, weight, c->want) : r;
}

/* After a reload. */
static int compare(struct services *s, struct change *c)
{
	const struct conf_virtual *witness = NULL;
	const int32_t *of_witness = NULL;
	struct before *before = list_before(s);
	const int32_t *weight = s->weight;
	const size_t *pair = s->pair;
	int r = before ? 0 : -ENOMEM;

	for (const struct conf_virtual *v = s->conf->virtuals; v && r >= 0; v = v->next, pair++) {
		struct before *b = *pair == CONF_NO_PAIR ? NULL : &before[*pair];

		if (b && goes_on(b, v, weight)) {
			b->same = true;
			witness = v;
			of_witness = weight;
		} else {
			r = add_change(s, c, v, weight, c->want);
		}
		weight += v->n_reals + 1;
	}
	s->refused_said = true; /* of the old ones it was */
	for (size_t i = 0; i < s->had->n_virtuals && r >= 0; i++)
		if (!before[i].same)
			r = add_change(s, c, before[i].virtual, before[i].weight, c->have);
	free(before);
	return r < 0 ? r : add_witness(s, c, witness, of_witness);
}

/*
 * By what is known of the kernel. It is not asked for each server that fails or comes back: thousands may at once; nor at a reload, when
 * a predecessor said what it has. services_audit asks, and who waits for connections to end. True: what changed is there.
 */
static bool bring_changes(struct services *s, size_t *ret_steps)
{
	struct change c = {0};
	int r = change_new(&c);

	if (r >= 0)
		r = take_wanted(s, s->had == s->conf ? &c : NULL);
	if (r >= 0 && s->had != s->conf)
		r = compare(s, &c);
	if (r >= 0 && s->conf->globals.drain_ms && !s->leavers_known)
		r = services_find_leavers(s, c.have);
	if (r >= 0 && is_too_small(s, &c))
		r = -EAGAIN;
	s->tries = s->nft != NULL;
	if (r >= 0 && !s->n_leavers)
		r = bring(s, c.have, c.want, ret_steps);
	s->tries = false;
	change_fini(&c);
	return !r && !s->n_leavers;
}

/* All that is wanted, to where `have` was read just now. */
static int bring_whole(struct services *s, struct ha_service_table *have, size_t *ret_steps)
{
	struct ha_service_table *want;
	int r = services_build(s, s->conf, s->weight, &want);

	if (r < 0)
		return r;
	s->refused_said = true;
	if (s->conf->globals.drain_ms && !s->leavers_known)
		r = services_find_leavers(s, have);
	if (r >= 0 && s->n_leavers)
		r = services_keep_leavers(s, want, have);
	if (r >= 0)
		r = bring(s, have, want, ret_steps);
	ha_service_table_free(want);
	return r;
}

/*
 * Likewise, where IPVS has nothing yet: a few virtual servers after the other, since most of the time goes into memory that is touched
 * for the first time. A step that fails stops none of those behind it.
 */
static int fill(struct services *s, struct ha_service_table *nothing, size_t *ret_steps)
{
	const struct conf_virtual *v = s->conf->virtuals;
	const int32_t *weight = s->weight;
	int result = 0;

	*ret_steps = 0;
	while (v) {
		struct ha_service_table *some;
		size_t steps;
		int r = services_build_some(s, &v, &weight, SLICE_PLACES, &some);

		if (r < 0) {
			s->known = false; /* of the rest nothing is there */
			return r;
		}
		r = bring(s, nothing, some, &steps);
		if (r && result >= 0)
			result = r;
		*ret_steps += steps;
		ha_service_table_free(some);
	}
	s->refused_said = s->leavers_known = true;
	s->known = !result;
	return result;
}

static int bring_all(struct services *s, size_t *ret_steps)
{
	int r = take_wanted(s, NULL);

	s->known = false;
	*ret_steps = 0;
	for (int tries = 0; r >= 0 && tries < 2; tries++) {
		struct ha_service_table *have;

		r = read_table(s, &have);
		if (r < 0)
			break;
		r = s->ipvs && !s->n_leavers && !ha_service_table_count(have)
			? fill(s, have, ret_steps)
			: bring_whole(s, have, ret_steps);
		ha_service_table_free(have);
		if (!r)
			break; /* else somebody else was at it meanwhile: once more */
	}
	if (s->weights->n >= LARGE_TABLE)
		malloc_trim(0); /* the tables, the plan, what was read */
	return r;
}

static int update(struct services *s, const char *what_for)
{
	size_t steps = 0;
	int r = 0;

	if (!s->ipvs && !s->nft)
		return 0;
	if (!s->known || s->n_leavers || !bring_changes(s, &steps))
		r = bring_all(s, &steps);
	if (r < 0)
		log_err("virtual servers, %s: %s", what_for, strerror(-r));
	else if (steps)
		log_info("virtual servers, %s: %zu changes by %s", what_for, steps,
			 backend_name(s));
	s->flush = false;
	s->had = s->conf;
	s->had_weight = s->weight;
	return r;
}

/* ---- Verbs ---- */

int services_commit(struct services *s)
{
	int r = update(s, s->committed ? "after checks" : "at start");

	s->committed = true;
	return r;
}

uint64_t services_audited_ns(const struct services *s)
{
	return s->audited_ns;
}

/*
 * A reload came before the first commit after another one. The successor is told of this configuration only: what the one before had
 * beside it goes now.
 */
static void leave_before(struct services *s)
{
	struct ha_service_table *now = NULL, *gone = NULL;
	int r = services_list(s->conf, NULL, &now);

	if (r >= 0)
		r = services_list(s->had, now, &gone);
	if (r >= 0 && ha_service_table_count(gone))
		r = bring_none(s, gone);
	if (r < 0)
		log_err("virtual servers of the configuration before: %s", strerror(-r));
	ha_service_table_free(now);
	ha_service_table_free(gone);
}

void services_hand_over(struct services *s)
{
	if (s->ipvs && s->had && s->had != s->conf)
		leave_before(s); /* all of the table of nftables is ours, whoever made it */
	s->weights->held->audited_ns = s->audited_ns;
	s->weights->held->backend = s->known && s->committed && !s->n_leavers ? backend_of(s) : 0;
}

void services_audit(struct services *s)
{
	s->known = false;
	if (s->committed)
		update(s, "changed by somebody else");
}

static void count_dests(const struct services *s, const struct ha_service *have,
			const struct conf_virtual *v, struct live_traffic *to)
{
	struct ha_service_stats stats = {.size = sizeof(stats)};
	struct ha_dest_opts key;

	for (const struct conf_real *r = v->reals; r; r = r->next, to++) {
		const struct ha_dest *d;

		services_dest(s, v, r, 0, &key);
		d = ha_dest_find(have, &key);
		if (d && ha_dest_stats(d, &stats) >= 0)
			live_add_traffic(to, &stats);
	}
}

void services_count(struct services *s, struct live *to)
{
	struct ha_service_stats stats = {.size = sizeof(stats)};
	struct ha_service_table *have = NULL;
	struct ha_service_opts key;
	size_t service = 0, dest = 0;

	if ((!s->ipvs && !s->nft) || loop_clock_ns() - s->counted_ns < COUNT_GAP_NS ||
	    dump(s, &have) < 0)
		return;
	s->counted_ns = loop_clock_ns();
	/* Nothing there may be one that is damaged, which the library makes anew with the next change: then with all. */
	s->known &= ha_service_table_count(have) > 0;
	live_clear_traffic(to);
	for (const struct conf_virtual *v = s->conf->virtuals; v; dest += v->n_reals, v = v->next) {
		for (size_t l = 0; l < v->n_listen; l++, service++) {
			const struct ha_service *found;

			model_service(v, &v->listen[l], &key);
			found = ha_service_find(have, &key);
			if (!found || ha_service_stats(found, &stats) < 0)
				continue;
			live_add_traffic(&to->service[service], &stats);
			count_dests(s, found, v, &to->dest[dest]);
		}
	}
	ha_service_table_free(have);
}

void services_release(struct services *s)
{
	int r;

	if (!s->ipvs && !s->nft)
		return;
	s->flush = s->conf->globals.flush_on_stop;
	r = bring_none(s, NULL);
	if (r < 0)
		log_err("virtual servers, at stop: %s", strerror(-r));
}

static void on_drain_timer(struct loop *l, void *userdata)
{
	update(userdata, "drained");
}

/* ---- Start ---- */

static bool forwards(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char c = '1';

	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = '1';
		close(fd);
	}
	return c != '0';
}

static void hint_forwarding(const struct conf *c)
{
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		bool nat = v->forward.method == HA_FORWARD_NAT || v->forward.method == CONF_UNSET;

		if (nat && v->n_listen && v->listen[0].ip.family == AF_INET &&
		    !forwards("/proc/sys/net/ipv4/ip_forward")) {
			log_warn(
			    "virtual server %s uses NAT, but this host does not forward: sysctl "
			    "net.ipv4.ip_forward=1",
			    v->name);
			return;
		}
	}
}

static int open_nft(const struct options *options, const struct ha_nl_transport *transport,
		    struct ha_nft **ret)
{
	char name[OPTIONS_TABLE_SIZE];
	const struct ha_nft_opts o = {.size = sizeof(o),
				      .table = options_table(options, "hawser", name),
				      .transport = transport};

	return ha_nft_open(&o, ret);
}

/* Like the audit, but at once. */
static void on_nft_changed(void *userdata)
{
	services_audit(userdata);
}

static int open_with(const struct ha_nl_transport *socket, void *userdata)
{
	struct services *s = userdata;

	return open_nft(s->options, socket, &s->nft);
}

static int open_watched_nft(struct kernel *k, struct services *s)
{
	char name[OPTIONS_TABLE_SIZE];

	return nft_open_watched(k, options_table(s->options, "hawser", name), open_with,
				on_nft_changed, s);
}

static void open_backend(struct kernel *k, struct services *s)
{
	/* nftables serves this namespace only. */
	enum conf_backend only =
	    s->options->ipvs_name_space ? CONF_BACKEND_IPVS : s->conf->globals.backend;
	int no_ipvs = only == CONF_BACKEND_NFT ? -ECANCELED : ipvs_open(k, &s->ipvs);
	int no_nft = only == CONF_BACKEND_IPVS ? -ECANCELED : 0;

	if (no_ipvs < 0 && !no_nft)
		no_nft = open_watched_nft(k, s);
	if (!no_ipvs)
		log_info("virtual servers are served by IPVS");
	else if (only == CONF_BACKEND_IPVS)
		log_err("virtual servers are not served: no IPVS (%s; modprobe ip_vs), and "
			"forwarding_backend or net_namespace_ipvs asks for it. VRRP goes on",
			strerror(-no_ipvs));
	else if (no_nft < 0 && only == CONF_BACKEND_NFT)
		log_err("virtual servers are not served: no nftables (%s), and forwarding_backend "
			"asks for it. VRRP goes on",
			strerror(-no_nft));
	else if (no_nft < 0)
		log_err("virtual servers are not served: no IPVS (%s; modprobe ip_vs) and no "
			"nftables (%s). VRRP goes on",
			strerror(-no_ipvs), strerror(-no_nft));
	else if (only == CONF_BACKEND_NFT)
		log_info("virtual servers are served by nftables");
	else
		log_notice("virtual servers are served by nftables: no IPVS here (%s)",
			   strerror(-no_ipvs));
}

/* forwarding_backend changed by a reload: what the other one serves for us goes. */
static void leave_other_backend(const struct services *s, const struct conf *old)
{
	struct services other = {
	    .conf = s->conf, .had = old, .options = s->options, .leavers_known = true};
	int r;

	if (!old || old->globals.backend == s->conf->globals.backend || s->options->ipvs_name_space)
		return;
	r = s->ipvs || s->conf->globals.backend == CONF_BACKEND_IPVS
		? open_nft(s->options, NULL, &other.nft)
		: ha_ipvs_open(NULL, &other.ipvs);
	if (r < 0)
		return; /* it is not there: so are its services */
	r = bring_none(&other, NULL);
	if (r < 0)
		log_err("virtual servers of %s: %s", backend_name(&other), strerror(-r));
	ha_ipvs_close(other.ipvs);
	ha_nft_close(other.nft);
}

/*
 * What a predecessor left in the kernel. One that ended in order said what that is; of any other one only what is ours is known, and the
 * kernel is asked for the rest.
 */
static void take_over(struct services *s, const struct birth *b)
{
	const struct weights_held *held = b->old_weights ? b->old_weights->held : NULL;

	s->had = b->old;
	if (!b->old || !held || !held->backend || held->backend != backend_of(s) || !b->pair)
		return;
	s->had_weight = held->weight;
	s->pair = b->pair;
	s->known = true;
	s->audited_ns = held->audited_ns;
}

int services_new(struct kernel *k, struct services **ret)
{
	struct services *s = calloc(1, sizeof(*s));
	struct msg tell = {.type = MSG_BACKEND};

	if (!s)
		return -ENOMEM;
	s->conf = k->conf;
	s->options = k->birth->options;
	s->flush = k->conf->globals.flush && k->birth->first;
	s->audited_ns = loop_clock_ns();
	s->weights = k->birth->weights;
	s->weights->held->backend = 0;
	s->weight = s->weights->held->weight;
	for (size_t i = 0; i < s->weights->n; i++)
		s->weight[i] = QUORUM_ABSENT;
	s->room = calloc(weights_places_max(k->conf), sizeof(*s->room));
	if (!s->room || loop_add_timer(k->loop, on_drain_timer, s, &s->drain_timer) < 0)
		return -ENOMEM;
	open_backend(k, s);
	leave_other_backend(s, k->birth->old);
	take_over(s, k->birth);
	if (s->ipvs && services_look(k->loop, s) < 0)
		return -ENOMEM;
	tell.value = backend_of(s);
	msg_send(k->birth->ends.control, &tell, -1);
	if (!s->options->ipvs_name_space)
		hint_forwarding(k->conf);
	*ret = s;
	return 0;
}
