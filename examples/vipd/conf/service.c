/* SPDX-License-Identifier: MIT */
/* The blocks of services: virtual_server, real_server, virtual_server_group. Checks: conf/checker.c */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/service.h>

#include "conf/checker.h"

#define VIRTUAL(member) offsetof(struct conf_virtual, member)
#define REAL(member) offsetof(struct reading_real, member)

/* ---- Addresses with ports ---- */

static const char *port_text(struct conf_parse *p, const struct ha_ip *ip, unsigned port)
{
	char text[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(ip, text, sizeof(text));
	return conf_printf(p->memory, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* ADDRESS [PORT] behind a keyword. */
static bool read_endpoint(struct conf_parse *p, const struct conf_node *n, struct ha_ip *ip,
			  uint16_t *port)
{
	const char *word = n->word->text;

	*port = 0;
	if (n->n < 2) {
		conf_warn(p, &n->word->at,
			  "\"%s\" lacks its address: write %s ADDRESS PORT. "
			  "Skipped",
			  word, word);
		return false;
	}
	if (!conf_read_ip(p, &n->word[1], ip)) {
		conf_warn(p, &n->word[1].at,
			  "\"%s\" is not an address: write %s ADDRESS PORT. Skipped",
			  n->word[1].text, word);
		return false;
	}
	if (n->n < 3)
		return true;
	return conf_read_port(p, &n->word[2], port);
}

static bool read_fwmark(struct conf_parse *p, const struct conf_word *w, struct conf_listen *l)
{
	double v;

	if (!conf_number(p, w, 1, UINT32_MAX, true, &v))
		return false;
	l->fwmark = (uint32_t)v;
	l->ip.family = AF_INET;
	return true;
}

/* ---- Choices ---- */

static void set_scheduler(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	static const char *const known[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh",
					    "mh", "dh",	 "fo", "ovf", "sed",  "nq",    "twos"};
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	for (size_t i = 0; w && i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i])) {
			v->scheduler = known[i];
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown scheduler \"%s\": write rr, wrr, lc, wlc, sh, mh, dh, sed, nq, "
			  "fo, ovf, lblc, lblcr or twos. wlc is taken",
			  w->text);
}

/* "TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]" */
static void read_tunnel(struct conf_parse *p, const struct conf_node *n, struct conf_forward *f)
{
	for (size_t i = 2; i < n->n; i++) {
		const struct conf_word *w = &n->word[i];
		const char *next = i + 1 < n->n ? n->word[i + 1].text : "";

		if (!strcmp(w->text, "nocsum")) {
			f->tunnel_flags = 0;
		} else if (!strcmp(w->text, "csum")) {
			f->tunnel_flags = HA_TUNNEL_CSUM;
		} else if (!strcmp(w->text, "remcsum")) {
			f->tunnel_flags = HA_TUNNEL_REMCSUM;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "ipip")) {
			f->tunnel = HA_TUNNEL_IPIP;
			i++;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "gue")) {
			f->tunnel = HA_TUNNEL_GUE;
			i++;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "gre")) {
			f->tunnel = HA_TUNNEL_GRE;
			i++;
		} else if (!strcmp(w->text, "port") && *next) {
			conf_read_port(p, &n->word[++i], &f->tunnel_port);
		} else {
			conf_warn(
			    p, &w->at,
			    "\"%s\" is no option of TUN: write type ipip, type gue port N, type "
			    "gre, nocsum, csum or remcsum",
			    w->text);
		}
	}
	if (f->tunnel == HA_TUNNEL_GUE && !f->tunnel_port)
		conf_warn(p, &n->word->at, "type gue lacks its port: write type gue port NUMBER");
}

/* Of a virtual server, a real server, a sorry server; the offset leads to its struct conf_forward. */
static void set_forward(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_forward *f = (struct conf_forward *)(void *)((char *)target + k->offset);
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcmp(w->text, "NAT")) {
		f->method = HA_FORWARD_NAT;
	} else if (!strcmp(w->text, "DR")) {
		f->method = HA_FORWARD_DR;
	} else if (!strcmp(w->text, "TUN")) {
		f->method = HA_FORWARD_TUN;
		read_tunnel(p, n, f);
	} else {
		conf_warn(p, &w->at, "unknown forwarding method \"%s\": write NAT, DR or TUN",
			  w->text);
	}
}

static void set_protocol(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcasecmp(w->text, "TCP"))
		v->protocol = IPPROTO_TCP;
	else if (!strcasecmp(w->text, "UDP"))
		v->protocol = IPPROTO_UDP;
	else if (!strcasecmp(w->text, "SCTP"))
		v->protocol = IPPROTO_SCTP;
	else
		conf_warn(p, &w->at, "unknown protocol \"%s\": write TCP, UDP or SCTP", w->text);
}

static void set_persistence(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	double s = CONF_PERSISTENCE_S;

	if (n->n > 1 && !strcmp(n->word[1].text, "0")) {
		conf_warn(p, &n->word[1].at,
			  "persistence_timeout 0: without persistence. Leave the line out");
		v->persistence_s = 0;
		return;
	}
	if (n->n > 1 && !conf_number(p, &n->word[1], 1, HA_PERSISTENCE_MAX_S, true, &s))
		return;
	if (n->n < 2)
		conf_note(p, &n->word->at, "persistence_timeout without a value is 360 seconds");
	v->persistence_s = (int64_t)s;
}

/* A dotted mask or, for IPv6, a prefix length. */
static void set_granularity(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);
	struct ha_ip mask;
	uint32_t bits = 0;
	double length;

	if (!w)
		return;
	if (ha_ip_parse(w->text, &mask) < 0 || mask.family != AF_INET) {
		if (conf_number(p, w, 1, 128, true, &length))
			v->persistence_prefix = (int)length;
		return;
	}
	for (int i = 0; i < 4; i++)
		bits = bits << 8 | mask.bytes[i];
	if (!bits || (~bits & (~bits + 1))) {
		conf_warn(p, &w->at, "\"%s\" is not a mask: skipped", w->text);
		return;
	}
	v->persistence_prefix = 0;
	for (; bits; bits <<= 1)
		v->persistence_prefix++;
}

/* The keyword's `min` is the flag. */
static void set_service_flag(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	((struct conf_virtual *)target)->flags |= (uint32_t)k->min;
}

static void set_hash_flag(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	((struct conf_virtual *)target)->hash_flags |= (uint32_t)k->min;
}

/* The keyword's offset is that of a struct conf_up_down *; `min` 1: the latter. */
static void set_up_down(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_up_down **at = (void *)((char *)target + k->offset);
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!*at)
		*at = conf_alloc(p->memory, sizeof(**at));
	conf_script_of(p, w, n->n - 1, k->min ? &(*at)->down : &(*at)->up);
}

#define UP_DOWN(what, is_down) set_up_down, what, is_down, .form = "COMMAND [USER [GROUP]]"

/* ---- real_server ---- */

#define WHY_SNMP "there is no SNMP"

static const struct conf_keyword real_words[] = {
    {"weight", conf_set_int, REAL(real.weight), 0, HA_WEIGHT_MAX,
     .initial = "weight of the virtual server", .doc = "Share of the connections."},
    {"inhibit_on_failure", conf_set_tristate, REAL(opts.inhibit),
     .initial = "that of the virtual server",
     .doc = "A failed server gets weight 0 instead of being removed: its connections go on."},
    {"lvs_method", set_forward, REAL(opts.forward), .form = "NAT|DR|TUN ...",
     .initial = "that of the virtual server", .doc = "How packets get to it."},
    {"uthreshold", conf_set_int, REAL(opts.upper), 0, INT_MAX,
     .doc = "From this many connections on it gets no new ones."},
    {"lthreshold", conf_set_int, REAL(opts.lower), 0, INT_MAX, .doc = "Below this many it gets new ones again."},
    {"notify_up", UP_DOWN(REAL(opts.notify), 0), .once = true, .doc = "Runs when it came up."},
    {"notify_down", UP_DOWN(REAL(opts.notify), 1), .once = true, .doc = "Runs when it went down."},
    {"virtualhost", conf_set_sent, REAL(opts.host), 0, 255, .form = "NAME",
     .initial = "that of the virtual server", .doc = "Host that HTTP_GET asks."},
    {"smtp_alert", conf_set_tristate, REAL(opts.smtp_alert), .initial = "smtp_alert_checker; on",
     .doc = "Mail at each change."},
    {CONF_NOTED("snmp_name", "NAME", "Name in SNMP.", WHY_SNMP)},
    COMMON_WORDS(REAL(opts.common), OF_VIRTUAL),
    CONNECT_TIMEOUT(REAL(opts.common), OF_VIRTUAL),
    {"TCP_CHECK", conf_add_check, .min = CONF_CHECK_TCP, .block = &conf_block_tcp,
     .doc = "It must take a connection."},
    {"HTTP_GET", conf_add_check, .min = CONF_CHECK_HTTP, .block = &conf_block_http,
     .doc = "It must answer requests."},
    {"SSL_GET", conf_add_check, .min = CONF_CHECK_HTTP, .block = &conf_block_https,
     .doc = "It must answer requests over TLS; its certificate is not looked at."},
    {"MISC_CHECK", conf_add_check, .min = CONF_CHECK_MISC, .block = &conf_block_misc,
     .doc = "A command must succeed."},
    {"SMTP_CHECK", conf_add_check, .min = CONF_CHECK_SMTP, .block = &conf_block_smtp,
     .doc = "It must greet and take HELO."},
    {"DNS_CHECK", conf_add_check, .min = CONF_CHECK_DNS, .block = &conf_block_dns,
     .doc = "It must answer a query, over UDP."},
    {"PING_CHECK", conf_add_check, .min = CONF_CHECK_PING, .block = &conf_block_ping,
     .doc = "It must answer pings."},
    {"UDP_CHECK", conf_add_check, .min = CONF_CHECK_UDP, .block = &conf_block_udp,
     .doc = "It must take a datagram: no ICMP error may come back."},
    {"FILE_CHECK", conf_add_check, .min = CONF_CHECK_FILE, .block = &conf_block_file,
     .doc = "The number in a file moves its weight, or takes it out."},
    {"BFD_CHECK", conf_add_check, .min = CONF_CHECK_BFD, .block = &conf_block_bfd_check,
     .doc = "A bfd_instance must be up."},
    {0}};
static const struct conf_block real_block = {.name = "real_server", .keyword = real_words};

static struct reading_real *real_new(struct conf_parse *p, const struct conf_node *n)
{
	struct reading_real *r = conf_alloc(p->passing, sizeof(*r));

	r->real = (struct conf_real){.weight = CONF_UNSET, .opts = &r->opts, .at = n->word->at};
	r->opts = (struct conf_real_opts){.inhibit = CONF_UNSET,
					  .smtp_alert = CONF_UNSET,
					  .forward = {.method = CONF_UNSET},
					  .common = CHECK_COMMON_UNSET};
	return read_endpoint(p, n, &r->real.ip, &r->real.port) ? r : NULL;
}

/* A real server as a key, without holes that nobody wrote. */
struct where {
	uint32_t port;
	struct ha_ip ip;
	uint8_t none[3];
};
_Static_assert(sizeof(struct where) == sizeof(uint32_t) + sizeof(struct ha_ip) + 3,
	       "there is a hole");

static void add_real(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_virtual *v = target;
	struct reading_real *r = real_new(p, n);
	const struct conf_real *same;
	struct where *key;

	if (!r)
		return;
	if (v->n_reals == HA_DESTS_MAX) {
		conf_warn(p, &n->word->at, "more than %d real servers: skipped", HA_DESTS_MAX);
		return;
	}
	key = conf_alloc(p->passing, sizeof(*key));
	*key = (struct where){.ip = r->real.ip, .port = r->real.port};
	same = conf_index_add(p->scratch, &p->reals, key, sizeof(*key), &r->real);
	if (same) {
		conf_warn(p, &n->word->at, "this real_server is there already, in line %u: skipped",
			  same->at.line);
		return;
	}
	*p->reals_end = &r->real;
	p->reals_end = &r->real.next;
	v->n_reals++;
	conf_walk(p, n->child, k->block, r);
}

static void set_sorry(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct reading_real *r = real_new(p, n);

	((struct conf_virtual *)target)->sorry = r ? &r->real : NULL;
}

/* ---- virtual_server ---- */

static void set_family(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcmp(w->text, "inet6"))
		((struct conf_virtual *)target)->family = AF_INET6;
	else if (!strcmp(w->text, "inet"))
		((struct conf_virtual *)target)->family = AF_INET;
	else
		conf_warn(p, &w->at, "unknown family \"%s\": write inet or inet6", w->text);
}

/* quorum, hysteresis: what is wrong with them is known when all real servers are. */
static void set_quorum(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;

	conf_set_int(p, n, k, v);
	if (!v->quorum_at)
		v->quorum_at = conf_alloc(p->scratch, sizeof(*v->quorum_at));
	*(k->offset == VIRTUAL(quorum) ? &v->quorum_at->quorum : &v->quorum_at->hysteresis) = n->word[n->n > 1].at;
}

#define WHY_HASHED "IPVS sets it itself"

static const struct conf_keyword virtual_words[] = {
    {"lb_algo", set_scheduler, .form = "rr|wrr|lc|wlc|lblc|lblcr|sh|mh|dh|fo|ovf|sed|nq|twos",
     .initial = "wlc", .doc = "Who gets the next connection."},
    {"lvs_sched", set_scheduler, .form = "as lb_algo", .doc = "The same."},
    {"lb_kind", set_forward, VIRTUAL(forward),
     .form = "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]", .initial = "NAT",
     .doc = "How packets get to the servers."},
    {"lvs_method", set_forward, VIRTUAL(forward), .form = "as lb_kind", .doc = "The same."},
    {"protocol", set_protocol, .form = "TCP|UDP|SCTP", .initial = "UDP, with a warning",
     .doc = "Protocol that is balanced."},
    {"ip_family", set_family, .form = "inet|inet6", .initial = "inet", .doc = "Of a fwmark."},
    {"persistence_timeout", set_persistence, .form = "[SECONDS]",
     .initial = "0; 360 without a number", .doc = "How long a client stays with its server."},
    {"persistence_granularity", set_granularity, .form = "MASK|PREFIX",
     .initial = "the whole address", .doc = "Network whose clients count as one client."},
    {"persistence_engine", conf_set_string, VIRTUAL(persistence_engine), .form = "NAME",
     .doc = "As sip."},
    {"ops", set_service_flag, .min = HA_SERVICE_ONE_PACKET, .doc = "UDP: each datagram is balanced by itself."},
    {CONF_ALWAYS("hashed", "", "Flag of IPVS.", WHY_HASHED)},
    {"sh-port", set_hash_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "sh looks at the port, too."},
    {"mh-port", set_hash_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "mh looks at the port, too."},
    {"sh-fallback", set_hash_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "sh takes another server when its own has weight 0."},
    {"mh-fallback", set_hash_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "mh takes another server when its own has weight 0."},
    {"flag-1", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "First flag of the scheduler."},
    {"flag-2", set_service_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "Second flag of the scheduler."},
    {"flag-3", set_service_flag, .min = HA_SERVICE_SCHED_3, .doc = "Third flag of the scheduler."},
    {"quorum", set_quorum, VIRTUAL(quorum), 1, INT_MAX, .form = "1..", .initial = "1",
     .doc = "Sum of the weights of live servers that is needed."},
    {"hysteresis", set_quorum, VIRTUAL(hysteresis), 0, INT_MAX, .form = "0..", .initial = "0",
     .doc = "How far the live weight may sink below the quorum, and must then rise above it."},
    {"quorum_up", UP_DOWN(VIRTUAL(quorum_notify), 0), .once = true, .doc = "Runs when the quorum is reached."},
    {"quorum_down", UP_DOWN(VIRTUAL(quorum_notify), 1), .once = true, .doc = "Runs when it is lost."},
    {"inhibit_on_failure", conf_set_tristate, VIRTUAL(inhibit), .initial = "off",
     .doc = "A failed server gets weight 0 instead of being removed: its connections go on."},
    {"omega", conf_set_flag, VIRTUAL(omega),
     .doc = "Runs notify_down and quorum_down at the stop."},
    {"weight", conf_set_int, VIRTUAL(weight), 0, HA_WEIGHT_MAX, .initial = "1",
     .doc = "Weight of servers that have none of their own."},
    {"sorry_server", set_sorry, .form = "ADDRESS [PORT]", .doc = "Server that takes over when the quorum is lost."},
    {"sorry_server_inhibit", conf_set_tristate, VIRTUAL(sorry_inhibit),
     .doc = "It has weight 0 instead of being removed while nobody needs it."},
    {"sorry_server_lvs_method", set_forward, VIRTUAL(sorry_forward), .form = "as lb_kind",
     .initial = "lb_kind", .doc = "How packets get to it."},
    {"virtualhost", conf_set_sent, VIRTUAL(host), 0, 255, .form = "NAME",
     .doc = "Host that HTTP_GET asks."},
    {"ha_suspend", conf_set_flag, VIRTUAL(ha_suspend),
     .doc = "Checks only while an address of it is on this host: not on a BACKUP, which then takes "
	    "over without knowing who is alive."},
    {"smtp_alert", conf_set_tristate, VIRTUAL(smtp_alert), .initial = "smtp_alert_checker",
     .doc = "Mail at each change."},
    {CONF_NOTED("snmp_name", "NAME", "Name in SNMP.", WHY_SNMP)},
    COMMON_WORDS(VIRTUAL(common), OF_ITS_OWN),
    CONNECT_TIMEOUT(VIRTUAL(common), OF_ITS_OWN),
    {"real_server", add_real, .block = &real_block, .form = "ADDRESS [PORT] { ... }",
     .doc = "A server."},
    {0}};

const struct conf_block conf_block_virtual = {.name = "virtual_server", .keyword = virtual_words};

/* "ADDRESS PORT", "fwmark N" or "group NAME". */
static bool read_where(struct conf_parse *p, const struct conf_node *n, struct conf_virtual *v)
{
	struct conf_listen l = {.at = n->word->at};

	if (n->n > 2 && !strcmp(n->word[1].text, "group")) {
		v->group_name = conf_keep_word(p, n, 2);
		v->name = conf_printf(p->memory, "group %s", v->group_name);
		return true;
	}
	if (n->n > 2 && !strcmp(n->word[1].text, "fwmark")) {
		if (!read_fwmark(p, &n->word[2], &l))
			return false;
		v->name = conf_printf(p->memory, "fwmark %u", l.fwmark);
	} else {
		if (!read_endpoint(p, n, &l.ip, &l.port))
			return false;
		v->name = port_text(p, &l.ip, l.port);
	}
	v->listen = conf_grow(p->memory, NULL, 0, sizeof(l));
	v->listen[v->n_listen++] = l;
	return true;
}

void conf_virtual_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf *c = target;
	struct conf_virtual *v = conf_alloc(p->memory, sizeof(*v));

	*v = (struct conf_virtual){.forward = {.method = CONF_UNSET},
				   .sorry_forward = {.method = CONF_UNSET},
				   .protocol = CONF_UNSET,
				   .quorum = 1,
				   .inhibit = CONF_UNSET,
				   .smtp_alert = CONF_UNSET,
				   .sorry_inhibit = CONF_UNSET,
				   .weight = 1,
				   .common = CHECK_COMMON_UNSET,
				   .at = n->word->at};
	if (!read_where(p, n, v))
		return;
	*p->virtuals_end = v;
	p->virtuals_end = &v->next;
	c->n_virtuals++;
	conf_index_clear(&p->reals);
	conf_memory_rewind(p->passing);
	p->reals_end = &v->reals;
	conf_walk(p, n->child, k->block, v);
	conf_keep_reals(p, v);
}

/* ---- virtual_server_group ---- */

static bool add_listen(struct conf_parse *p, struct conf_virtual_group *g,
		       const struct conf_listen *l)
{
	if (p->n_listen == HA_SERVICES_MAX) {
		conf_warn(p, &l->at, "more than %d addresses in all groups: skipped",
			  HA_SERVICES_MAX);
		return false;
	}
	p->n_listen++;
	g->listen = conf_grow(p->memory, g->listen, g->n_listen, sizeof(*l));
	g->listen[g->n_listen++] = *l;
	return true;
}

/* "10.0.0.1-9": the last number of the address (hexadecimal in IPv6) counts up. */
static bool set_last_number(struct ha_ip *ip, const char *number)
{
	bool v4 = ip->family == AF_INET;
	char *end;
	unsigned long last = strtoul(number, &end, v4 ? 10 : 16);

	if (*end || end == number || last > (v4 ? 255u : 65535u))
		return false;
	if (v4) {
		ip->bytes[3] = (uint8_t)last;
	} else {
		ip->bytes[14] = (uint8_t)(last >> 8);
		ip->bytes[15] = (uint8_t)last;
	}
	return true;
}

/* "10.0.0.0/29": all of it. "10.0.0.1/29" is a mistake, as in keepalived. */
static bool set_prefix(const struct ha_ip *first, struct ha_ip *last, const char *length)
{
	size_t bits = ha_ip_len(first) * 8;
	char *end;
	unsigned long prefix = strtoul(length, &end, 10);

	if (*end || end == length || prefix > bits)
		return false;
	for (size_t i = prefix; i < bits; i++) {
		if (first->bytes[i / 8] & 0x80 >> i % 8)
			return false;
		last->bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	return true;
}

/* "FIRST-LAST", "FIRST-NUMBER", "ADDRESS/PREFIX". */
static bool read_range(struct conf_parse *p, const char *text, struct ha_ip *first,
		       struct ha_ip *last)
{
	size_t len = strcspn(text, "-/");
	const char *end = text + len + 1;

	if (ha_ip_parse(conf_strndup(p->memory, text, len), first) < 0)
		return false;
	*last = *first;
	if (text[len] == '/')
		return set_prefix(first, last, end);
	if (!set_last_number(last, end) &&
	    (ha_ip_parse(end, last) < 0 || last->family != first->family))
		return false;
	return memcmp(first->bytes, last->bytes, ha_ip_len(first)) <= 0;
}

static void add_range(struct conf_parse *p, struct conf_virtual_group *g, const struct conf_word *w,
		      struct conf_listen *l)
{
	struct ha_ip last;

	if (!read_range(p, w->text, &l->ip, &last)) {
		conf_warn(p, &w->at,
			  "\"%s\" is not a range: write FIRST-LAST, ADDRESS-NUMBER or "
			  "ADDRESS/PREFIX, with its first address. Skipped",
			  w->text);
		return;
	}
	for (size_t at = ha_ip_len(&last); add_listen(p, g, l) && ha_ip_compare(&l->ip, &last);
	     at = ha_ip_len(&last))
		while (!++l->ip.bytes[--at])
			; /* carries */
}

/* "fwmark N [inet|inet6]" */
static void add_mark(struct conf_parse *p, struct conf_virtual_group *g, const struct conf_node *n, struct conf_listen *l)
{
	const struct conf_word *w = conf_argument(p, n), *family = n->n > 2 ? &n->word[2] : NULL;

	if (!w || !read_fwmark(p, w, l))
		return;
	if (family && !strcmp(family->text, "inet6"))
		l->ip.family = AF_INET6;
	else if (family && strcmp(family->text, "inet") != 0)
		conf_warn(p, &family->at, "unknown family \"%s\": write inet or inet6. inet is taken", family->text);
	add_listen(p, g, l);
}

static void add_group_line(struct conf_parse *p, struct conf_virtual_group *g,
			   const struct conf_node *n)
{
	struct conf_listen l = {.at = n->word->at};

	if (!strcmp(n->word->text, "fwmark")) {
		add_mark(p, g, n, &l);
		return;
	}
	if (n->n > 1 && !conf_read_port(p, &n->word[1], &l.port))
		return;
	if (strpbrk(n->word->text, "-/"))
		add_range(p, g, n->word, &l);
	else if (ha_ip_parse(n->word->text, &l.ip) < 0)
		conf_warn(p, &n->word->at, "\"%s\" is not an address: write ADDRESS PORT. Skipped",
			  n->word->text);
	else
		add_listen(p, g, &l);
}

const struct conf_block conf_block_virtual_group = {.name = "virtual_server_group"};

void conf_virtual_group_new(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual_group *g;

	if (n->n < 2) {
		conf_warn(p, &n->word->at, "virtual_server_group needs a name: skipped");
		return;
	}
	g = conf_alloc(p->memory, sizeof(*g));
	g->name = conf_keep_word(p, n, 1);
	g->at = n->word->at;
	*p->groups_of_services_end = g;
	p->groups_of_services_end = &g->next;
	conf_index_add_name(p->scratch, &p->virtual_groups, g->name, g); /* the first counts */
	for (const struct conf_node *l = n->child; l; l = l->next)
		add_group_line(p, g, l);
}
