/* SPDX-License-Identifier: MIT */
/* IPVS beside its services: sync daemons, timeouts, counters set to zero. */
#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>

#include "base/sized.h"
#include "ipvs/codec.h"
#include "ipvs/config_codec.h"
#include "ipvs/handle.h"
#include "service/model.h"

/* ---- One request that changes ---- */

static void note_failure(void *userdata, size_t index, int error, const char *text)
{
	*(int *)userdata = error;
}

/* Sends the request that ipvs_begin() began. 0 or its -errno. */
static int change(struct ha_ipvs *v)
{
	int error = 0, r;

	nl_batch_end(&v->batch);
	r = nl_call(&v->channel, &v->batch, note_failure, &error);
	return r < 0 ? r : error;
}

/* ---- Sync daemons ---- */

int ha_ipvs_sync_start(struct ha_ipvs *v, const struct ha_ipvs_sync *s)
{
	struct ha_ipvs_sync own;
	int r;

	if (!v)
		return -EINVAL;
	r = sized_in(&own, sizeof(own), s);
	if (!r)
		r = ipvs_codec_check_sync(&own);
	if (r < 0)
		return r;
	if (v->busy)
		return -EBUSY;
	ipvs_codec_put_sync(ipvs_begin(v, 0), &own);
	return change(v);
}

int ha_ipvs_sync_stop(struct ha_ipvs *v, enum ha_ipvs_sync_role role)
{
	if (!v || (role != HA_IPVS_SYNC_MASTER && role != HA_IPVS_SYNC_BACKUP))
		return -EINVAL;
	if (v->busy)
		return -EBUSY;
	ipvs_codec_put_sync_stop(ipvs_begin(v, 0), role);
	return change(v);
}

struct wanted_sync {
	uint16_t type;
	enum ha_ipvs_sync_role role;
	struct ha_ipvs_sync found; /* its role is 0: not found */
};

static int take_sync(void *userdata, const struct nl_msg *msg)
{
	struct wanted_sync *w = userdata;
	struct ha_ipvs_sync s;

	if (msg->type != w->type || !ipvs_codec_read_sync(msg->body, &s))
		return -EBADMSG;
	if (s.role == w->role)
		w->found = s;
	return 0;
}

static void forget_sync(void *userdata)
{
	((struct wanted_sync *)userdata)->found.role = 0;
}

int ha_ipvs_sync_get(struct ha_ipvs *v, enum ha_ipvs_sync_role role, struct ha_ipvs_sync *ret)
{
	static const struct nl_query_ops ops = {take_sync, forget_sync};
	struct wanted_sync w = {.role = role};
	int r;

	if (!v || !ret)
		return -EINVAL;
	if (v->busy)
		return -EBUSY;
	w.type = v->type;
	nl_genl_put(ipvs_begin(v, NLM_F_DUMP), IPVS_CMD_GET_DAEMON, IPVS_GENL_VERSION);
	r = ipvs_ask(v, &ops, &w);
	if (r < 0)
		return r;
	return w.found.role ? sized_out(ret, &w.found, sizeof(w.found)) : -ESRCH;
}

/* ---- Timeouts and counters ---- */

int ha_ipvs_timeouts_set(struct ha_ipvs *v, const struct ha_ipvs_timeouts *t)
{
	struct ha_ipvs_timeouts own;
	int r;

	if (!v)
		return -EINVAL;
	r = sized_in(&own, sizeof(own), t);
	if (!r && own.reserved)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (v->busy)
		return -EBUSY;
	if (!own.tcp_s && !own.tcp_fin_s && !own.udp_s)
		return 0;
	ipvs_codec_put_timeouts(ipvs_begin(v, 0), &own);
	return change(v);
}

struct read_timeouts {
	uint16_t type;
	struct ha_ipvs_timeouts t;
};

static int take_timeouts(void *userdata, const struct nl_msg *msg)
{
	struct read_timeouts *read = userdata;

	if (msg->type != read->type || !ipvs_codec_read_timeouts(msg->body, &read->t))
		return -EBADMSG;
	return 0;
}

int ha_ipvs_timeouts_get(struct ha_ipvs *v, struct ha_ipvs_timeouts *ret)
{
	static const struct nl_query_ops ops = {.message = take_timeouts};
	struct read_timeouts read = {0};
	int r;

	if (!v || !ret)
		return -EINVAL;
	if (v->busy)
		return -EBUSY;
	read.type = v->type;
	nl_genl_put(ipvs_begin(v, 0), IPVS_CMD_GET_CONFIG, IPVS_GENL_VERSION);
	r = ipvs_ask(v, &ops, &read);
	return r < 0 ? r : sized_out(ret, &read.t, sizeof(read.t));
}

int ha_ipvs_zero(struct ha_ipvs *v, const struct ha_service_opts *service)
{
	struct ha_service_opts own;
	int r;

	if (!v)
		return -EINVAL;
	r = service ? ipvs_key(service, &own) : 0;
	if (r < 0)
		return r;
	if (v->busy)
		return -EBUSY;
	if (service)
		ipvs_codec_put_key(ipvs_begin(v, 0), IPVS_CMD_ZERO, &own);
	else
		nl_genl_put(ipvs_begin(v, 0), IPVS_CMD_ZERO, IPVS_GENL_VERSION);
	return change(v);
}
