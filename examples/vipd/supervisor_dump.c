/* SPDX-License-Identifier: MIT */
/* keepalived.data, .stats and .json in the temporary directory, as keepalived writes them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "supervisor_state.h"

static const char *state_word(int32_t s)
{
	static const char *const word[] = {"INIT", "BACKUP", "MASTER", "FAULT"};

	return (uint32_t)s < 4 ? word[s] : "?";
}

/* A file of its own, whatever lies at that name: a link there is not followed. */
static FILE *open_dump(const char *name, char *path, size_t cap)
{
	const char *folder = getenv("TMPDIR");
	FILE *f = NULL;
	int fd;

	snprintf(path, cap, "%s/%s", folder && *folder == '/' ? folder : "/tmp", name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (!f)
		log_err("cannot write %s: %s", path, strerror(errno));
	return f;
}

static void close_dump(FILE *f, const char *path)
{
	bool failed = ferror(f);

	if (fclose(f) || failed)
		log_err("cannot write %s: %s", path, strerror(errno));
	else
		log_info("wrote %s", path);
}

static void dump_instance(FILE *f, const struct conf_instance *i, const struct heard *h)
{
	char ip[HA_IP_TEXT_SIZE];

	fprintf(f, " VRRP Instance = %s\n", i->name);
	fprintf(f, "   VRRP Version = %d\n", i->version);
	fprintf(f, "   State = %s\n", state_word(h->state));
	fprintf(f, "   Interface = %s\n", i->interface);
	fprintf(f, "   Virtual Router ID = %d\n", i->vrid);
	fprintf(f, "   Priority = %d\n", i->priority);
	fprintf(f, "   Effective priority = %d\n", h->priority ? h->priority : i->priority);
	fprintf(f, "   Advert interval = %g sec\n", (double)i->advert_ms / 1000);
	fprintf(f, "   Preempt = %s\n", i->no_preempt ? "disabled" : "enabled");
	if (i->group)
		fprintf(f, "   Sync group = %s\n", i->group->name);
	fprintf(f, "   Virtual IP (%zu):\n", i->n_addresses);
	for (size_t a = 0; a < i->n_addresses; a++) {
		ha_ip_format(&i->addresses[a].ip, ip, sizeof(ip));
		fprintf(f, "     %s/%u dev %s\n", ip, i->addresses[a].prefix,
			i->addresses[a].dev ? i->addresses[a].dev : i->interface);
	}
}

static void dump_virtual(FILE *f, const struct conf_virtual *v)
{
	char ip[HA_IP_TEXT_SIZE];

	fprintf(f, " Virtual server = %s\n", v->name);
	fprintf(f, "   Scheduler = %s\n", v->scheduler ? v->scheduler : "wlc");
	fprintf(f, "   Persistence timeout = %lld\n", (long long)v->persistence_s);
	fprintf(f, "   Quorum = %d, hysteresis = %d\n", v->quorum, v->hysteresis);
	for (const struct conf_real *r = v->reals; r; r = r->next) {
		ha_ip_format(&r->ip, ip, sizeof(ip));
		fprintf(f, "   Real server = %s %u weight %d\n", ip, (unsigned)r->port, r->weight);
	}
}

void dump_data(const struct supervisor *s)
{
	char path[4096];
	FILE *f = open_dump("keepalived.data", path, sizeof(path));
	size_t n = 0;

	if (!f)
		return;
	fprintf(f, "------< Global definitions >------\n Router ID = %s\n",
		s->conf->globals.router_id ? s->conf->globals.router_id : "");
	fprintf(f, "------< VRRP Topology >------\n");
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next)
		dump_instance(f, i, &s->instance[n++]);
	fprintf(f, "------< Virtual servers >------\n");
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next)
		dump_virtual(f, v);
	close_dump(f, path);
}

void dump_stats(const struct supervisor *s)
{
	char path[4096];
	FILE *f = open_dump("keepalived.stats", path, sizeof(path));
	size_t n = 0;

	if (!f)
		return;
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next) {
		const struct msg_stats *c = &s->instance[n++].stats;

		fprintf(f, "VRRP Instance: %s\n", i->name);
		fprintf(f, "  Advertisements:\n    Received: %llu\n    Sent: %llu\n",
			(unsigned long long)c->adverts_received,
			(unsigned long long)c->adverts_sent);
		fprintf(f, "  Became master: %llu\n  Released master: %llu\n",
			(unsigned long long)c->became_active, (unsigned long long)c->left_active);
		fprintf(
		    f,
		    "  Packet Errors:\n    Length: %llu\n    TTL: %llu\n    Invalid Type: %llu\n"
		    "    Advertisement Interval: %llu\n    Address List: %llu\n",
		    (unsigned long long)c->length_errors, (unsigned long long)c->ttl_errors,
		    (unsigned long long)c->type_errors, (unsigned long long)c->interval_errors,
		    (unsigned long long)c->address_errors);
		fprintf(
		    f,
		    "  Authentication Errors:\n    Invalid Type: %llu\n    Type Mismatch: %llu\n"
		    "    Failure: %llu\n",
		    (unsigned long long)c->auth_type_errors, (unsigned long long)c->auth_mismatches,
		    (unsigned long long)c->auth_failures);
		fprintf(f, "  Priority Zero:\n    Received: %llu\n    Sent: %llu\n",
			(unsigned long long)c->priority_zero_received,
			(unsigned long long)c->priority_zero_sent);
	}
	close_dump(f, path);
}

/* ---- JSON ---- */

static void json_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned)(unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

/* As "ip address" writes them, which is how keepalived does. */
static void json_addresses(FILE *f, const struct conf_instance *i, bool advertised)
{
	bool first = true;

	for (size_t a = 0; a < i->n_addresses; a++) {
		const struct conf_address *at = &i->addresses[a];
		char ip[HA_IP_TEXT_SIZE] = "", text[128];

		if (at->advertised != advertised)
			continue;
		ha_ip_format(&at->ip, ip, sizeof(ip));
		snprintf(text, sizeof(text), "%s/%u dev %s", ip, at->prefix,
			 at->dev ? at->dev : i->interface);
		fputs(first ? "" : ",", f);
		json_string(f, text);
		first = false;
	}
}

static void json_data(FILE *f, const struct conf_instance *i, const struct heard *h)
{
	fputs("{\"data\":{\"iname\":", f);
	json_string(f, i->name);
	fputs(",\"ifp_ifname\":", f);
	json_string(f, i->interface);
	fprintf(f,
		",\"dont_track_primary\":%s,\"skip_check_adv_addr\":%s,\"vrid\":%d,\"version\":%d,"
		"\"base_priority\":%d,\"effective_priority\":%d,\"vipset\":%s,\"adver_int\":%g,"
		"\"nopreempt\":%s,\"preempt_delay\":%g,\"state\":%d,\"wantstate\":%d,"
		"\"garp_rep\":%d,\"garp_delay\":%g,\"lower_prio_no_advert\":%s,"
		"\"higher_prio_send_advert\":%s,\"accept\":%s,\"vips\":[",
		i->dont_track_primary ? "true" : "false", i->any_addresses ? "true" : "false",
		i->vrid, i->version, i->priority, h->priority ? h->priority : i->priority,
		h->state == HA_VRRP_ACTIVE ? "true" : "false", (double)i->advert_ms / 1000,
		i->no_preempt ? "true" : "false", (double)i->preempt_delay_ms / 1000, (int)h->state,
		(int)h->state, i->garp.repeat, (double)i->garp.delay_ms / 1000,
		i->no_reply ? "true" : "false", i->last_advert ? "true" : "false",
		i->no_accept ? "false" : "true");
	json_addresses(f, i, true);
	fputs("],\"evips\":[", f);
	json_addresses(f, i, false);
	fputs("],\"vroutes\":[],\"vrules\":[]}", f);
}

static void json_stats(FILE *f, const struct msg_stats *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
	    {"advert_rcvd", c->adverts_received},
	    {"advert_sent", c->adverts_sent},
	    {"become_master", c->became_active},
	    {"release_master", c->left_active},
	    {"packet_len_err", c->length_errors},
	    {"advert_interval_err", c->interval_errors},
	    {"ip_ttl_err", c->ttl_errors},
	    {"invalid_type_rcvd", c->type_errors},
	    {"addr_list_err", c->address_errors},
	    {"invalid_authtype", c->auth_type_errors},
	    {"authtype_mismatch", c->auth_mismatches},
	    {"auth_failure", c->auth_failures},
	    {"pri_zero_rcvd", c->priority_zero_received},
	    {"pri_zero_sent", c->priority_zero_sent},
	};

	fputs(",\"stats\":{", f);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		fprintf(f, "%s\"%s\":%llu", i ? "," : "", all[i].name,
			(unsigned long long)all[i].value);
	fputs("}}", f);
}

void dump_json(const struct supervisor *s)
{
	char path[4096];
	FILE *f = open_dump("keepalived.json", path, sizeof(path));
	size_t n = 0;

	if (!f)
		return;
	fputc('[', f);
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++) {
		fputs(n ? "," : "", f);
		json_data(f, i, &s->instance[n]);
		json_stats(f, &s->instance[n].stats);
	}
	fputs("]\n", f);
	close_dump(f, path);
}
