/* SPDX-License-Identifier: MIT */
/* keepalived.data and keepalived.stats in the temporary directory, as keepalived writes them. */
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
