/* SPDX-License-Identifier: MIT */
/*
 * Talking to IPVS. A plan goes out in batches: the kernel answers failures only, and the answer to the
 * last request fences the batch (nl/call.h). Requests that failed because the kernel is not as the plan
 * assumed go out once more in the form that fits.
 */
#include <assert.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>

#include "base/mem.h"
#include "base/sized.h"
#include "ipvs/codec.h"
#include "ipvs/handle.h"
#include "service/plan.h"

/* ---- Opening ---- */

int ha_ipvs_open(const struct ha_ipvs_opts *o, struct ha_ipvs **ret)
{
	struct ha_ipvs_opts own = {.size = sizeof(own)};
	struct ha_ipvs *v;
	uint32_t version, size;
	int r;

	if (!ret)
		return -EINVAL;
	r = o ? sized_in(&own, sizeof(own), o) : 0;
	if (r < 0)
		return r;
	v = mem_zalloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	r = nl_channel_open(&v->channel, NETLINK_GENERIC, own.transport, 0);
	if (r < 0) {
		mem_free(v);
		return r;
	}
	r = nl_genl_resolve(&v->channel, IPVS_GENL_NAME, &v->type);
	if (!r)
		r = ha_ipvs_info(v, &version, &size); /* asks for CAP_NET_ADMIN */
	if (r < 0) {
		nl_channel_give_back(&v->channel);
		ha_ipvs_close(v);
		return r == -ENOENT ? -EOPNOTSUPP : r;
	}
	*ret = v;
	return 0;
}

void ha_ipvs_close(struct ha_ipvs *v)
{
	if (!v)
		return;
	assert(!v->busy);
	nl_batch_fini(&v->batch);
	nl_channel_close(&v->channel);
	mem_free(v);
}

/* ---- Reading ---- */

struct dump {
	uint16_t type;
	struct ha_service_table *table;
	struct ha_service *service; /* whose destinations are read */
	uint32_t version, size;	    /* GET_INFO */
};

static int take_info(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;

	if (msg->type != d->type || !ipvs_codec_read_info(msg->body, &d->version, &d->size))
		return -EBADMSG;
	return 0;
}

static int take_service(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	struct ha_service *s;
	struct ipvs_service got;
	int r;

	if (msg->type != d->type || !ipvs_codec_read_service(msg->body, &got))
		return -EBADMSG;
	r = service_add_unchecked(d->table, &got.o, false, &s);
	if (r == -EEXIST)
		return 0; /* the dump came by twice while others changed the list */
	if (r < 0)
		return r;
	s->stats = got.stats;
	return 0;
}

static int take_dest(void *userdata, const struct nl_msg *msg)
{
	struct dump *d = userdata;
	struct ha_service_stats *sum = &d->service->stats;
	struct ipvs_dest got;
	struct ha_dest *dest;
	int r;

	if (msg->type != d->type || !ipvs_codec_read_dest(msg->body, &d->service->o, &got))
		return -EBADMSG;
	if (service_dest_find(d->service, &got.o))
		return 0;
	r = service_dest_set_unchecked(d->service, &got.o, &dest);
	if (r < 0)
		return r;
	dest->stats = got.stats;
	sum->active_conns += got.stats.active_conns;
	sum->inactive_conns += got.stats.inactive_conns;
	sum->persistent_conns += got.stats.persistent_conns;
	return 0;
}

static void forget_services(void *userdata)
{
	struct dump *d = userdata;

	for (struct ha_service *s; (s = ha_service_next(d->table, NULL));)
		ha_service_remove(s);
}

static void forget_dests(void *userdata)
{
	struct dump *d = userdata;
	struct ha_service_stats *sum = &d->service->stats;

	for (struct ha_dest *dest; (dest = ha_dest_next(d->service, NULL));)
		ha_dest_remove(dest);
	sum->active_conns = sum->inactive_conns = sum->persistent_conns = 0;
}

static const struct nl_query_ops info_ops = {.message = take_info};
static const struct nl_query_ops service_ops = {take_service, forget_services};
static const struct nl_query_ops dest_ops = {take_dest, forget_dests};

int ipvs_ask(struct ha_ipvs *v, const struct nl_query_ops *ops, void *userdata)
{
	int r;

	nl_batch_end(&v->batch);
	r = nl_query(&v->channel, &v->batch, ops, userdata);
	return r == -EINTR ? -EAGAIN : r;
}

int ipvs_key(const struct ha_service_opts *service, struct ha_service_opts *ret)
{
	int r = service_check_sized(service, NULL, ret, NULL, NULL);

	if (r >= 0)
		service_normalize(ret);
	return r;
}

struct writer *ipvs_begin(struct ha_ipvs *v, uint16_t flags)
{
	nl_batch_reset(&v->batch);
	return nl_batch_begin(&v->batch, v->type, flags);
}

int ha_ipvs_info(struct ha_ipvs *v, uint32_t *ret_version, uint32_t *ret_conn_table_size)
{
	struct dump d = {0};
	int r;

	if (!v || !ret_version || !ret_conn_table_size)
		return -EINVAL;
	if (v->busy)
		return -EBUSY;
	d.type = v->type;
	nl_genl_put(ipvs_begin(v, 0), IPVS_CMD_GET_INFO, IPVS_GENL_VERSION);
	r = ipvs_ask(v, &info_ops, &d);
	if (r < 0)
		return r;
	*ret_version = d.version;
	*ret_conn_table_size = d.size;
	return 0;
}

static int read_dests(struct ha_ipvs *v, struct dump *d, struct ha_service *s)
{
	d->service = s;
	ipvs_codec_put_key(ipvs_begin(v, NLM_F_DUMP), IPVS_CMD_GET_DEST, &s->o);
	return ipvs_ask(v, &dest_ops, d);
}

static int read_services(struct ha_ipvs *v, struct dump *d)
{
	nl_genl_put(ipvs_begin(v, NLM_F_DUMP), IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION);
	return ipvs_ask(v, &service_ops, d);
}

static int read_service(struct ha_ipvs *v, struct dump *d, const struct ha_service_opts *key)
{
	int r;

	ipvs_codec_put_key(ipvs_begin(v, 0), IPVS_CMD_GET_SERVICE, key);
	r = ipvs_ask(v, &service_ops, d);
	return r == -ESRCH ? 0 : r; /* there is none */
}

/* `key` NULL: all services. */
static int dump(struct ha_ipvs *v, const struct ha_service_opts *key, struct ha_service_table **ret)
{
	struct dump d = {.type = v->type};
	int r;

	if (v->busy)
		return -EBUSY;
	r = ha_service_table_new(&d.table);
	if (r < 0)
		return r;
	r = key ? read_service(v, &d, key) : read_services(v, &d);
	for (struct ha_service *s = NULL; !r && (s = ha_service_next(d.table, s));)
		r = read_dests(v, &d, s);
	if (r < 0) {
		ha_service_table_free(d.table);
		return r;
	}
	*ret = d.table;
	return 0;
}

int ha_ipvs_dump(struct ha_ipvs *v, struct ha_service_table **ret)
{
	return v && ret ? dump(v, NULL, ret) : -EINVAL;
}

int ha_ipvs_dump_service(struct ha_ipvs *v, const struct ha_service_opts *service, struct ha_service_table **ret)
{
	struct ha_service_opts key;
	int r = v && service && ret ? ipvs_key(service, &key) : -EINVAL;

	return r < 0 ? r : dump(v, &key, ret);
}

/* ---- Writing ---- */

#define NO_STEP SIZE_MAX

/* One round over the plan: which request of the batch belongs to which step, and how the steps fare. */
struct round {
	size_t step_of[NL_CHUNK_MSGS]; /* NO_STEP: a helping hand whose failure does not matter */
	int *error;		       /* by step */
	size_t known;		       /* the steps before this one are answered */
};

static void put_step(struct writer *w, enum ha_service_step_kind kind,
		     const struct service_step *step)
{
	const struct ha_service_opts *s = &step->service->o;

	switch (kind) {
	case HA_STEP_ADD_SERVICE:
		ipvs_codec_put_service(w, IPVS_CMD_NEW_SERVICE, s);
		break;
	case HA_STEP_EDIT_SERVICE:
		ipvs_codec_put_service(w, IPVS_CMD_SET_SERVICE, s);
		break;
	case HA_STEP_REMOVE_SERVICE:
		ipvs_codec_put_key(w, IPVS_CMD_DEL_SERVICE, s);
		break;
	case HA_STEP_ADD_DEST:
		ipvs_codec_put_dest(w, IPVS_CMD_NEW_DEST, s, &step->dest->o);
		break;
	case HA_STEP_EDIT_DEST:
		ipvs_codec_put_dest(w, IPVS_CMD_SET_DEST, s, &step->dest->o);
		break;
	case HA_STEP_REMOVE_DEST:
		ipvs_codec_put_dest_key(w, IPVS_CMD_DEL_DEST, s, &step->dest->o);
		break;
	}
}

static void note_failure(void *userdata, size_t index, int error, const char *text)
{
	struct round *r = userdata;

	if (r->step_of[index] != NO_STEP)
		r->error[r->step_of[index]] = error;
}

/* Sends what is in the batch; then the steps before `next` are answered. */
static int flush(struct ha_ipvs *v, struct round *r, size_t next)
{
	int n = v->batch.n ? nl_call(&v->channel, &v->batch, note_failure, r) : 0;

	nl_batch_reset(&v->batch);
	if (n < 0)
		return n;
	r->known = next;
	return 0;
}

/* Before the requests of step `index`, two at most. A batch never grows larger than one chunk: it stays in the cache. */
static int make_room(struct ha_ipvs *v, struct round *r, size_t index)
{
	return v->batch.n + 2 > NL_CHUNK_MSGS ? flush(v, r, index) : 0;
}

static void request(struct ha_ipvs *v, struct round *r, size_t index,
		    enum ha_service_step_kind kind, const struct service_step *step)
{
	struct writer *w = nl_batch_begin(&v->batch, v->type, 0);

	r->step_of[v->batch.n] = index;
	put_step(w, kind, step);
	nl_batch_end(&v->batch);
}

static int check_step(const struct service_step *step)
{
	if (step->kind == HA_STEP_REMOVE_SERVICE || step->kind == HA_STEP_REMOVE_DEST)
		return 0;
	return ha_ipvs_check(&step->service->o, step->dest ? &step->dest->o : NULL, NULL);
}

static int first_round(struct ha_ipvs *v, const struct ha_service_plan *p, struct round *r)
{
	int e = 0;

	for (size_t i = 0; !e && i < p->n; i++) {
		r->error[i] = check_step(&p->steps[i]);
		if (r->error[i])
			continue;
		e = make_room(v, r, i);
		request(v, r, i, p->steps[i].kind, &p->steps[i]);
	}
	return e ? e : flush(v, r, p->n);
}

/*
 * What to ask instead, when the kernel said that it is not as the plan assumed: 0 for nothing. The
 * kernel's words: -ESRCH no such service, -ENOENT no such destination (or scheduler), -EEXIST.
 */
static enum ha_service_step_kind instead(enum ha_service_step_kind kind, int error)
{
	switch (kind) {
	case HA_STEP_ADD_SERVICE:
		return error == -EEXIST ? HA_STEP_EDIT_SERVICE : 0;
	case HA_STEP_EDIT_SERVICE:
		return error == -ESRCH ? HA_STEP_ADD_SERVICE : 0;
	case HA_STEP_ADD_DEST:
		return error == -EEXIST ? HA_STEP_EDIT_DEST : error == -ESRCH ? kind : 0;
	case HA_STEP_EDIT_DEST:
		return error == -ENOENT || error == -ESRCH ? HA_STEP_ADD_DEST : 0;
	default:
		return 0;
	}
}

static bool gone_already(enum ha_service_step_kind kind, int error)
{
	return (kind == HA_STEP_REMOVE_SERVICE && error == -ESRCH) ||
	       (kind == HA_STEP_REMOVE_DEST && (error == -ENOENT || error == -ESRCH));
}

/* Repairs what can be; *repaired counts the steps that are tried or were done before us. */
static int second_round(struct ha_ipvs *v, const struct ha_service_plan *p, struct round *r,
			size_t *repaired)
{
	int e = 0;

	r->known = 0;
	for (size_t i = 0; !e && i < p->n; i++) {
		const struct service_step *step = &p->steps[i];
		enum ha_service_step_kind other = instead(step->kind, r->error[i]);
		int error = r->error[i];

		if (!error || (!other && !gone_already(step->kind, error)))
			continue;
		r->error[i] = 0;
		++*repaired;
		if (!other)
			continue;
		e = make_room(v, r, i);
		if (step->dest && error == -ESRCH)
			request(v, r, NO_STEP, HA_STEP_ADD_SERVICE, step);
		request(v, r, i, other, step);
	}
	return e ? e : flush(v, r, p->n);
}

static int apply(struct ha_ipvs *v, const struct ha_service_plan *p, struct round *r)
{
	size_t repaired = 0;
	int result;

	nl_batch_reset(&v->batch);
	r->known = 0;
	result = first_round(v, p, r);
	if (!result)
		result = second_round(v, p, r, &repaired);
	if (result < 0) { /* not known what was done of the rest */
		for (size_t i = r->known; i < p->n; i++)
			r->error[i] = result;
		return result;
	}
	for (size_t i = 0; i < p->n; i++)
		if (r->error[i])
			return r->error[i];
	return (int)repaired;
}

int ha_ipvs_apply(struct ha_ipvs *v, const struct ha_service_plan *p,
		  const struct ha_service_apply_ops *ops, void *userdata)
{
	struct ha_service_apply_ops own;
	struct round r;
	int result;

	if (!v || !p)
		return -EINVAL;
	if (v->busy)
		return -EBUSY;
	result = service_apply_ops_take(&own, ops);
	if (result < 0 || !p->n)
		return result;
	r.error = mem_array(p->n, sizeof(*r.error));
	result = r.error ? apply(v, p, &r) : -ENOMEM;
	v->busy = true;
	for (size_t i = 0; i < p->n; i++)
		service_plan_tell(p, i, r.error ? r.error[i] : -ENOMEM, &own, userdata);
	v->busy = false;
	mem_free(r.error);
	return result;
}
