/* SPDX-License-Identifier: MIT */
/* The table of services that is wanted, from the configuration and the weights that health wants. */
#include <libha/ipvs.h>
#include <libha/nft.h>

#include "kernel/service.h"
#include "log.h"
#include "model.h"

static int check(const struct services *s, const struct ha_service_opts *o,
		 const struct ha_dest_opts *d, const char **why)
{
	return s->ipvs ? ha_ipvs_check(o, d, why) : ha_nft_check(o, d, why);
}

/* Of nftables_ipvs, with nftables: there a mark keeps the client's port, which must be the real server's. */
void services_dest(const struct services *s, const struct conf_virtual *v,
		   const struct conf_real *r, int32_t weight, struct ha_dest_opts *ret)
{
	bool same = v->n_marked && !s->ipvs;

	model_dest(r, (uint32_t)weight, ret);
	for (size_t i = 0; i < v->n_marked && same; i++)
		same = v->marked[i].port == r->port;
	if (same)
		ret->port = 0;
}

/* What a backend cannot do it refuses for the whole service: half of it would be something else. */
static bool is_refused(const struct services *s, const struct conf_virtual *v,
		       const struct ha_service_opts *o)
{
	const char *why = "";
	struct ha_dest_opts d;
	int r = check(s, o, NULL, &why);

	for (const struct conf_real *real = v->reals; real && r >= 0; real = real->next) {
		services_dest(s, v, real, real->weight, &d);
		r = check(s, o, &d, &why);
	}
	if (v->sorry && r >= 0) {
		services_dest(s, v, v->sorry, v->sorry->weight, &d);
		r = check(s, o, &d, &why);
	}
	if (r < 0 && !s->refused_said)
		log_err("virtual server %s is not served: %s", v->name, why);
	return r < 0;
}

static int add_dest(const struct services *s, const struct conf_virtual *v, struct ha_service *to,
		    const struct conf_real *r, int32_t weight)
{
	struct ha_dest_opts d;

	if (weight == QUORUM_ABSENT)
		return 0;
	services_dest(s, v, r, weight, &d);
	return ha_dest_set(to, &d, NULL);
}

int services_add(const struct services *s, const struct conf_virtual *v,
		 const struct conf_listen *l, const int32_t *weight, struct ha_service_table *t)
{
	struct ha_service_opts o;
	struct ha_service *to;
	size_t n = 0;
	int r;

	model_service(v, l, &o);
	if (is_refused(s, v, &o))
		return 0;
	r = ha_service_add(t, &o, &to);
	for (const struct conf_real *real = v->reals; real && r >= 0; real = real->next)
		r = add_dest(s, v, to, real, weight[n++]);
	if (v->sorry && r >= 0)
		r = add_dest(s, v, to, v->sorry, weight[v->n_reals]);
	return r;
}

int services_add_virtual(const struct services *s, const struct conf_virtual *v,
			 const int32_t *weight, struct ha_service_table *t)
{
	int r = 0;

	for (size_t l = 0; l < v->n_listen && r >= 0; l++)
		r = services_add(s, v, &v->listen[l], weight, t);
	return r;
}

int services_build_some(const struct services *s, const struct conf_virtual **v,
			const int32_t **weight, size_t places, struct ha_service_table **ret)
{
	struct ha_service_table *t;
	size_t n = 0;
	int r = ha_service_table_new(&t);

	if (r < 0)
		return r;
	for (; *v && n < places && r >= 0; *v = (*v)->next) {
		r = services_add_virtual(s, *v, *weight, t);
		*weight += (*v)->n_reals + 1;
		n += (*v)->n_listen * ((*v)->n_reals + 1);
	}
	if (r < 0) {
		ha_service_table_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int services_build(const struct services *s, const struct conf *c, const int32_t *weight,
		   struct ha_service_table **ret)
{
	const struct conf_virtual *v = c->virtuals;

	return services_build_some(s, &v, &weight, SIZE_MAX, ret);
}

int services_list(const struct conf *c, const struct ha_service_table *but,
		  struct ha_service_table **ret)
{
	struct ha_service_opts o;
	int r = ha_service_table_new(ret);

	for (const struct conf_virtual *v = c ? c->virtuals : NULL; v && r >= 0; v = v->next) {
		for (size_t l = 0; l < v->n_listen && r >= 0; l++) {
			model_service(v, &v->listen[l], &o);
			if (!but || !ha_service_find(but, &o))
				r = ha_service_add(*ret, &o, NULL);
			if (r != -ENOMEM)
				r = 0; /* what the library refuses is not there, either */
		}
	}
	return r;
}
