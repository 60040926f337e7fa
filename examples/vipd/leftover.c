/* SPDX-License-Identifier: MIT */
#include "leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static void path_of(const char *pid_file, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s.held", pid_file);
}

/* A file that begins anew: whatever lies there, no link is followed. NULL: errno says why. */
static FILE *begin(const char *path)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

/* fclose() does not tell of what it lost before. */
static bool end(FILE *f)
{
	bool failed = ferror(f);

	return !fclose(f) && !failed;
}

static void write_ip(FILE *f, const char *word, const struct ha_ip *ip)
{
	char text[HA_IP_TEXT_SIZE] = "";

	if (ip->family && ha_ip_format(ip, text, sizeof(text)) >= 0)
		fprintf(f, "%s%s", word, text);
}

static void write_address_flags(FILE *f, uint32_t flags)
{
	fputs(flags & IFA_F_HOMEADDRESS ? " home" : "", f);
	fputs(flags & IFA_F_MANAGETEMPADDR ? " mngtmpaddr" : "", f);
	fputs(flags & IFA_F_NOPREFIXROUTE ? " noprefixroute" : "", f);
	fputs(flags & IFA_F_MCAUTOJOIN ? " autojoin" : "", f);
}

/* All that tells it from another one: what is the same in the next configuration is not touched. */
static void write_address(FILE *f, const struct conf_instance *i, const struct conf_address *a)
{
	write_ip(f, "\t", &a->ip);
	write_ip(f, " peer ", &a->peer);
	fprintf(f, "/%u dev %s scope %u", a->prefix, conf_address_device(i, a), a->scope);
	write_ip(f, " brd ", &a->broadcast);
	if (a->label)
		fprintf(f, " label %s", a->label);
	if (a->preferred_s == CONF_FOREVER)
		fputs(" preferred_lft forever", f);
	else if (a->preferred_s != CONF_UNSET)
		fprintf(f, " preferred_lft %" PRId64, a->preferred_s);
	write_address_flags(f, a->flags);
	fputs("\n", f);
}

static void write_addresses(FILE *f, const struct conf *c)
{
	fputs("static_ipaddress {\n", f);
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next)
		for (size_t n = 0; n < i->n_addresses; n++)
			write_address(f, i, &i->addresses[n]);
	fputs("}\n", f);
}

static void write_routes(FILE *f, const struct conf *c)
{
	fputs("static_routes {\n", f);
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next) {
		const char *home = conf_home_device(i);

		for (size_t n = 0; n < i->n_routes; n++) {
			const struct conf_route *r = &i->routes[n];
			bool at_home = conf_route_at_home(r) && home;

			fprintf(f, "\t%s%s%s\n", r->text, at_home ? " dev " : "", at_home ? home : "");
		}
	}
	fputs("}\n", f);
}

static void write_rules(FILE *f, const struct conf *c)
{
	fputs("static_rules {\n", f);
	for (const struct conf_instance *i = conf_holders(c); i; i = i->next)
		for (size_t n = 0; n < i->n_rules; n++)
			fprintf(f, "\t%s\n", i->rules[n].text);
	fputs("}\n", f);
}

/* An instance that holds nothing has the interface. */
static void begin_link(FILE *f, const char *name, const char *parent, uint32_t vrid, uint8_t family)
{
	fprintf(f, "vrrp_instance %s {\n\tinterface %s\n\tvirtual_router_id %u\n\tno_virtual_ipaddress\n", name, parent, vrid);
	if (family == AF_INET6)
		fputs("\tnative_ipv6\n", f);
}

static void write_vmac(FILE *f, const struct conf_instance *i, const struct conf_vmac *m)
{
	static const uint8_t none[sizeof(m->mac)];

	begin_link(f, m->name, m->parent, i->vrid, m->family);
	fprintf(f, "\tuse_vmac %s", m->name);
	if (memcmp(m->mac, none, sizeof(none)) != 0)
		fprintf(f, " %02x:%02x:%02x:%02x:%02x:%02x", m->mac[0], m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
	fputs("\n}\n", f);
}

static void write_ipvlan(FILE *f, const struct conf_instance *i, const struct conf_ipvlan *v)
{
	const char *mode = v->flags == IPVLAN_F_PRIVATE ? "private" : v->flags == IPVLAN_F_VEPA ? "vepa" : "bridge";
	char ip[HA_IP_TEXT_SIZE] = "";

	begin_link(f, v->name, v->parent, i->vrid, i->family);
	fprintf(f, "\tuse_ipvlan %s %s", v->name, mode);
	if (v->ip.family && ha_ip_format(&v->ip, ip, sizeof(ip)) >= 0)
		fprintf(f, " %s/%u", ip, v->prefix);
	fputs("\n}\n", f);
}

static void write_links(FILE *f, const struct conf *c)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next) {
		for (const struct conf_vmac *m = i->vmacs; m; m = m->next)
			write_vmac(f, i, m);
		if (i->ipvlan)
			write_ipvlan(f, i, i->ipvlan);
	}
}

static void write_all(FILE *f, const struct conf *c)
{
	write_addresses(f, c);
	write_routes(f, c);
	write_rules(f, c);
	write_links(f, c);
}

/* Beside the one of before, which stays when the disk is full. */
void leftover_write(const char *pid_file, const struct conf *c)
{
	char path[4096], next[4096 + sizeof(".next")];
	FILE *f;

	path_of(pid_file, path, sizeof(path));
	snprintf(next, sizeof(next), "%s.next", path);
	f = begin(next);
	if (f)
		write_all(f, c);
	if (f && end(f) && !rename(next, path))
		return;
	log_warn("cannot write %s: %s. After a crash of all of vipd, what is no longer configured will stay", path, strerror(errno));
	unlink(next);
}

void leftover_remove(const char *pid_file)
{
	char path[4096];

	path_of(pid_file, path, sizeof(path));
	unlink(path);
}

/* Only what this user wrote; -1: there is none. */
static int open_ours(const char *pid_file)
{
	char path[4096];
	struct stat st;
	int fd;

	path_of(pid_file, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid()))
		return fd;
	close(fd);
	return -1;
}

struct conf *leftover_read(const char *pid_file)
{
	char path[64];
	const struct conf_source source = {.file = path};
	struct diag *said = calloc(1, sizeof(*said)); /* nobody wrote it by hand */
	struct conf *c = NULL;
	int fd = said ? open_ours(pid_file) : -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd >= 0) {
		conf_load(&source, said, &c);
		diag_fini(said);
		close(fd);
	}
	free(said);
	return c;
}
