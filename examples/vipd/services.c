/* SPDX-License-Identifier: MIT */
#include "services.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <libha/ipvs.h>
#include <libha/nft.h>
#include <libha/service.h>

#include "log.h"
#include "msg.h"

#define WEIGHT_MAX HA_WEIGHT_MAX

/* A real server as the health process wants it. */
struct dest {
	bool present;
	uint32_t weight;
};

/* One virtual_server: its real servers in the order of the file, the sorry server behind them. */
struct service {
	const struct conf_virtual *conf;
	const struct conf_real **real;
	struct dest *dest;
	uint32_t n;   /* with the sorry server, if there is one */
	bool refused; /* the backend cannot express it: said once */
};

struct services {
	struct service *service;
	uint32_t n;
	struct ha_ipvs *ipvs; /* one of the two, or none */
	struct ha_nft *nft;
	struct ha_service_table *ours; /* what was wanted last: ours to remove */
};

static const char *backend(const struct services *s)
{
	return s->ipvs ? "IPVS" : "nftables";
}

static int open_backend(struct services *s)
{
	int ipvs = ha_ipvs_open(NULL, &s->ipvs), nft;

	if (!ipvs) {
		log_info("virtual servers: IPVS");
		return 0;
	}
	nft = ha_nft_open(NULL, &s->nft);
	if (!nft) {
		log_notice("virtual servers: nftables, since IPVS says: %s", strerror(-ipvs));
		return 0;
	}
	if (ipvs == -ENOMEM || nft == -ENOMEM)
		return -ENOMEM;
	log_err("virtual servers cannot run: this kernel has no IPVS (%s: try \"modprobe ip_vs\") "
		"and no "
		"nftables (%s); floating addresses go on without them",
		strerror(-ipvs), strerror(-nft));
	return 0;
}

static int add_service(struct service *s, const struct conf_virtual *v)
{
	uint32_t i = 0;

	s->conf = v;
	s->n = (uint32_t)v->n_reals + (v->sorry != NULL);
	s->real = calloc(s->n + 1, sizeof(*s->real));
	s->dest = calloc(s->n + 1, sizeof(*s->dest));
	if (!s->real || !s->dest)
		return -ENOMEM;
	for (const struct conf_real *r = v->reals; r && i < v->n_reals; r = r->next)
		s->real[i++] = r;
	if (v->sorry)
		s->real[i] = v->sorry;
	return 0;
}

static struct ha_service_opts service_opts(const struct conf_virtual *v,
					   const struct conf_listen *l)
{
	struct ha_service_opts o = {
	    .size = sizeof(o),
	    .address = l->ip,
	    .port = l->port,
	    .fwmark = l->fwmark,
	    .scheduler = v->scheduler,
	    .flags = v->flags,
	    .persistence_s = v->persistence_s > 0 ? (uint32_t)v->persistence_s : 0,
	    .persistence_prefix = v->persistence_prefix > 0 ? (uint8_t)v->persistence_prefix : 0,
	    .persistence_engine = v->persistence_engine,
	};

	if (!l->fwmark)
		o.protocol = v->protocol == CONF_UNSET ? IPPROTO_UDP : (uint8_t)v->protocol;
	return o;
}

static struct ha_dest_opts dest_opts(const struct conf_virtual *v, const struct conf_real *r,
				     uint32_t weight)
{
	int forward = r->forward != CONF_UNSET ? r->forward : v->forward;

	return (struct ha_dest_opts){
	    .size = sizeof(struct ha_dest_opts),
	    .address = r->ip,
	    .port = r->port,
	    .forward = forward == CONF_UNSET ? HA_FORWARD_NAT : (enum ha_forward)forward,
	    .weight = weight,
	    .upper_threshold = r->upper > 0 ? (uint32_t)r->upper : 0,
	    .lower_threshold = r->lower > 0 ? (uint32_t)r->lower : 0,
	};
}

static int add_listener(struct service *service, const struct conf_listen *l,
			struct ha_service_table *t)
{
	struct ha_service_opts o = service_opts(service->conf, l);
	struct ha_service *added;
	int r = ha_service_add(t, &o, &added);

	if (r < 0)
		return r == -EEXIST ? 0 : r; /* the loader has said that it stands there twice */
	for (uint32_t i = 0; i < service->n && r >= 0; i++) {
		struct ha_dest_opts d =
		    dest_opts(service->conf, service->real[i], service->dest[i].weight);

		if (service->dest[i].present)
			r = ha_dest_set(added, &d, NULL);
	}
	return r;
}

/* The services of a configuration, without real servers: to say which ones were ours. */
static int table_of(const struct conf *conf, struct ha_service_table **ret)
{
	struct ha_service_table *t;
	int r = ha_service_table_new(&t);

	if (r < 0)
		return r;
	for (const struct conf_virtual *v = conf->virtuals; v && !r; v = v->next) {
		struct service one = {.conf = v};

		for (size_t i = 0; i < v->n_listen && r >= 0; i++)
			r = add_listener(&one, &v->listen[i], t);
	}
	if (r < 0)
		ha_service_table_free(t);
	else
		*ret = t;
	return r;
}

int services_open(const struct conf *conf, const struct conf *previous, struct services **ret)
{
	struct services *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->service = calloc(conf->n_virtuals + 1, sizeof(*s->service));
	if (!s->service)
		r = -ENOMEM;
	for (const struct conf_virtual *v = conf->virtuals; v && !r && s->n < conf->n_virtuals;
	     v = v->next)
		r = add_service(&s->service[s->n++], v);
	if (!r && previous)
		r = table_of(previous, &s->ours);
	if (!r && (s->n || previous))
		r = open_backend(s);
	if (r < 0)
		services_free(s);
	else
		*ret = s;
	return r;
}

void services_free(struct services *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; s->service && i < s->n; i++) {
		free(s->service[i].real);
		free(s->service[i].dest);
	}
	free(s->service);
	ha_service_table_free(s->ours);
	ha_ipvs_close(s->ipvs);
	ha_nft_close(s->nft);
	free(s);
}

int services_set_dest(struct services *s, uint32_t virtual_server, uint32_t real, bool present,
		      uint32_t weight)
{
	struct service *service;

	if (virtual_server >= s->n || weight > WEIGHT_MAX)
		return -EINVAL;
	service = &s->service[virtual_server];
	if (real == MSG_SORRY && service->conf->sorry)
		real = service->n - 1;
	else if (real >= service->conf->n_reals)
		return -EINVAL;
	service->dest[real] = (struct dest){.present = present, .weight = weight};
	return 0;
}

static int check(const struct services *s, const struct ha_service_opts *o,
		 const struct ha_dest_opts *d, const char **ret_reason)
{
	if (s->ipvs)
		return ha_ipvs_check(o, d, ret_reason);
	if (s->nft)
		return ha_nft_check(o, d, ret_reason);
	return ha_service_check(o, d, ret_reason);
}

/* Refused is refused for all its listeners and real servers: half a service helps nobody. */
static bool is_refused(struct services *s, struct service *service, const struct ha_service_opts *o,
		       const struct ha_dest_opts *d)
{
	const char *reason = "";

	if (service->refused)
		return true;
	if (check(s, o, d, &reason) >= 0)
		return false;
	service->refused = true;
	log_err("%s:%u: virtual_server %s cannot run on %s and is left out: %s",
		service->conf->at.file, service->conf->at.line, service->conf->name, backend(s),
		reason);
	return true;
}

static bool is_possible(struct services *s, struct service *service)
{
	const struct conf_virtual *v = service->conf;

	for (size_t l = 0; l < v->n_listen; l++) {
		struct ha_service_opts o = service_opts(v, &v->listen[l]);

		if (is_refused(s, service, &o, NULL))
			return false;
		for (uint32_t i = 0; i < service->n; i++) {
			struct ha_dest_opts d = dest_opts(v, service->real[i], 1);

			if (is_refused(s, service, &o, &d))
				return false;
		}
	}
	return true;
}

static int wanted(struct services *s, struct ha_service_table **ret)
{
	struct ha_service_table *t;
	int r = ha_service_table_new(&t);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->n && r >= 0; i++) {
		struct service *service = &s->service[i];

		if (!is_possible(s, service))
			continue;
		for (size_t l = 0; l < service->conf->n_listen && r >= 0; l++)
			r = add_listener(service, &service->conf->listen[l], t);
	}
	if (r < 0)
		ha_service_table_free(t);
	else
		*ret = t;
	return r;
}

static void step_done(void *userdata, const struct ha_service_step *step, int error)
{
	const bool *repair = userdata;
	char text[HA_SERVICE_TEXT_SIZE];

	if (ha_service_step_format(step, text, sizeof(text)) < 0)
		return;
	if (error)
		log_err("%s: %s", text, strerror(-error));
	else
		log_info("%s%s", *repair ? "repaired, somebody changed it: " : "", text);
}

/* Plans from what the kernel holds to `want` and goes that way. */
static int go(struct services *s, const struct ha_service_table *want, bool repair)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = step_done};
	struct ha_service_table *have;
	struct ha_service_plan *plan;
	int r = s->ipvs ? ha_ipvs_dump(s->ipvs, &have) : ha_nft_dump(s->nft, &have);

	if (r < 0) {
		log_err("cannot read the virtual servers of %s: %s", backend(s), strerror(-r));
		return r;
	}
	if (s->ours)
		r = ha_service_claim(have, s->ours);
	if (r >= 0)
		r = ha_service_plan(want, have, &plan);
	if (r >= 0) {
		r = s->ipvs ? ha_ipvs_apply(s->ipvs, plan, &ops, &repair)
			    : ha_nft_apply(s->nft, plan, &ops, &repair);
		ha_service_plan_free(plan);
	}
	ha_service_table_free(have);
	return r < 0 ? r : 0;
}

int services_commit(struct services *s, bool repair)
{
	struct ha_service_table *want;
	int r;

	if (!s->ipvs && !s->nft)
		return 0;
	r = wanted(s, &want);
	if (r < 0)
		return r;
	/* What failed is tried again at the next repair; ours it is all the same. */
	r = go(s, want, repair);
	ha_service_table_free(s->ours);
	s->ours = want;
	return r;
}

int services_remove(struct services *s)
{
	struct ha_service_table *nothing;
	int r;

	if ((!s->ipvs && !s->nft) || !s->ours)
		return 0;
	r = ha_service_table_new(&nothing);
	if (r < 0)
		return r;
	r = go(s, nothing, false);
	ha_service_table_free(nothing);
	return r;
}
