/* SPDX-License-Identifier: MIT */
#include "service_name.h"

#include <netinet/in.h>
#include <stdio.h>

static bool is_marked(const struct conf_virtual *v)
{
	return v->n_listen && v->listen[0].fwmark && !v->group_name;
}

const char *service_protocol(const struct conf_virtual *v)
{
	if (is_marked(v))
		return "none";
	return v->protocol == IPPROTO_TCP ? "tcp" : v->protocol == IPPROTO_SCTP ? "sctp" : "udp";
}

unsigned service_port(const struct conf_virtual *v, const struct conf_real *r)
{
	return is_marked(v) ? 0 : r->port;
}

const char *service_virtual_name(const struct conf_virtual *v, char buf[SERVICE_NAME_SIZE])
{
	const struct conf_listen *l = v->n_listen ? v->listen : NULL;
	char ip[HA_IP_TEXT_SIZE] = "";

	if (v->group_name)
		snprintf(buf, SERVICE_NAME_SIZE, "[%s]:0", v->group_name);
	else if (l && l->fwmark)
		snprintf(buf, SERVICE_NAME_SIZE, "FWM %u", l->fwmark);
	else if (l && ha_ip_format(&l->ip, ip, sizeof(ip)) > 0)
		snprintf(buf, SERVICE_NAME_SIZE, "[%s]:%s:%u", ip, service_protocol(v),
			 (unsigned)l->port);
	else
		snprintf(buf, SERVICE_NAME_SIZE, "%s", v->name);
	return buf;
}

const char *service_real_name(const struct conf_virtual *v, const struct conf_real *r,
			      char buf[SERVICE_NAME_SIZE])
{
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	snprintf(buf, SERVICE_NAME_SIZE, "[%s]:%s:%u", ip, service_protocol(v), service_port(v, r));
	return buf;
}
