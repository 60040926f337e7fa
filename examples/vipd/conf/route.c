/* SPDX-License-Identifier: MIT */
#include "conf/route.h"

#include <linux/fib_rules.h>
#include <linux/ila.h>
#include <linux/lwtunnel.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "conf/names.h"

/* A line that is being read: its words from `at` on. */
struct line {
	struct conf_parse *p;
	const struct conf_node *n;
	size_t at;
	bool failed; /* said: the line is skipped as a whole */
};

static const struct conf_word *word(const struct line *l)
{
	return l->at < l->n->n ? &l->n->word[l->at] : NULL;
}

static bool is(const struct line *l, const char *text)
{
	return l->at < l->n->n && !strcmp(l->n->word[l->at].text, text);
}

/* Goes past the word when it is this one. */
static bool take(struct line *l, const char *text)
{
	bool found = is(l, text);

	l->at += found;
	return found;
}

/* The word behind an option; NULL, said: there is none. */
static const struct conf_word *value(struct line *l)
{
	const struct conf_word *w = word(l);

	if (!w) {
		w = &l->n->word[l->n->n - 1];
		conf_warn(l->p, &w->at, "\"%s\" lacks its value: the line is skipped", w->text);
		l->failed = true;
		return NULL;
	}
	l->at++;
	return w;
}

static void fail(struct line *l, const struct conf_word *w, const char *what)
{
	conf_warn(l->p, &w->at, "\"%s\" is no %s: the line is skipped", w->text, what);
	l->failed = true;
}

static bool number(struct line *l, uint32_t max, uint32_t *ret)
{
	const struct conf_word *w = value(l);
	char *end;
	unsigned long long v;

	if (!w)
		return false;
	v = strtoull(w->text, &end, 0);
	if (*w->text < '0' || *w->text > '9' || *end || v > max) {
		fail(l, w, "number, or too large");
		return false;
	}
	*ret = (uint32_t)v;
	return true;
}

static bool named(struct line *l, const char *file, uint32_t max, uint32_t *ret)
{
	const struct conf_word *w = value(l);

	if (w && conf_named_number(l->p, w, file, max, ret))
		return true;
	l->failed = true;
	return false;
}

static void address(struct line *l, struct ha_ip *ret)
{
	const struct conf_word *w = value(l);

	if (w && ha_ip_parse(w->text, ret) < 0)
		fail(l, w, "address");
}

/* ADDRESS[/PREFIX], "default", "any" or "all". */
static bool prefix(struct line *l, struct ha_ip *ret, uint8_t *ret_len)
{
	const struct conf_word *w = value(l);

	if (!w)
		return false;
	if (!strcmp(w->text, "default") || !strcmp(w->text, "any") || !strcmp(w->text, "all")) {
		*ret = (struct ha_ip){0};
		*ret_len = 0;
		return true;
	}
	l->failed |= !conf_read_address(l->p, w, ret, ret_len);
	return !l->failed;
}

static bool is_zero(const struct ha_ip *ip)
{
	static const uint8_t none[sizeof(ip->bytes)];

	return !memcmp(ip->bytes, none, sizeof(none));
}

/* All addresses are the same prefix whatever stands before /0; but the kernel has no such IPv4 route. */
static bool route_prefix(struct line *l, struct ha_ip *ret, uint8_t *ret_len)
{
	if (!prefix(l, ret, ret_len))
		return false;
	if (*ret_len || is_zero(ret))
		return true;
	if (ret->family == AF_INET)
		fail(l, &l->n->word[l->at - 1], "destination: write 0.0.0.0/0");
	memset(ret->bytes, 0, sizeof(ret->bytes));
	return !l->failed;
}

static void rule_prefix(struct line *l, struct ha_ip *ret, uint8_t *ret_len)
{
	if (prefix(l, ret, ret_len) && !*ret_len)
		memset(ret->bytes, 0, sizeof(ret->bytes));
}

static void device(struct line *l, const char **ret)
{
	const struct conf_word *w = value(l);

	if (w && (!*w->text || strlen(w->text) >= IFNAMSIZ || strchr(w->text, '/')))
		fail(l, w, "interface");
	else if (w)
		*ret = conf_keep(l->p, w->text);
}

/* A/B or B: of realms, the first is the source's. */
static void realms(struct line *l, uint32_t *ret)
{
	const struct conf_word *w = value(l);
	const char *slash = w ? strchr(w->text, '/') : NULL;
	uint32_t from = 0, to = 0;
	struct conf_word part;

	if (!w)
		return;
	part = *w;
	if (slash) {
		part.text = conf_strndup(l->p->scratch, w->text, (size_t)(slash - w->text));
		l->failed |= !conf_named_number(l->p, &part, "rt_realms", 0xffff, &from);
		part.text = slash + 1;
	}
	l->failed |= !conf_named_number(l->p, &part, "rt_realms", 0xffff, &to);
	*ret = from << 16 | to;
}

/* What the line says, in one form: two lines that say the same are the same. */
static const char *joined(struct line *l)
{
	char *text;
	size_t len = 1;

	for (size_t i = 0; i < l->n->n; i++)
		len += strlen(l->n->word[i].text) + 1;
	text = conf_alloc(l->p->memory, len);
	for (size_t i = 0; i < l->n->n; i++) {
		strcat(text, i ? " " : "");
		strcat(text, l->n->word[i].text);
	}
	return text;
}

static void unknown(struct line *l, const char *of)
{
	const struct conf_word *w = word(l);

	conf_warn(l->p, &w->at, "\"%s\" is no option of a %s: the line is skipped", w->text, of);
	l->failed = true;
}

/* "ttl-propagate enabled": of a route of MPLS to IP, and of such a one there is no form here. */
static bool ttl_propagate(struct line *l)
{
	const struct conf_word *w = word(l);

	if (!take(l, "ttl-propagate"))
		return false;
	conf_note(l->p, &w->at,
		  "the kernel looks at ttl-propagate in routes of MPLS labels only: skipped");
	w = value(l);
	if (w && strcmp(w->text, "enabled") != 0 && strcmp(w->text, "disabled") != 0)
		fail(l, w, "word of ttl-propagate: write enabled or disabled");
	return true;
}

/* Of both: true when it was one of them. */
static bool common_option(struct line *l, bool *no_track, const char **track_group)
{
	const struct conf_word *w;

	if (take(l, "no_track"))
		return *no_track = true;
	if (take(l, "track_group")) {
		w = value(l);
		*track_group = w ? conf_keep(l->p, w->text) : NULL;
		return true;
	}
	return false;
}

/* ---- Routes ---- */

static bool route_type(struct line *l, uint8_t *ret)
{
	static const struct {
		const char *word;
		uint8_t type;
	} known[] = {{"unicast", RTN_UNICAST},
		     {"local", RTN_LOCAL},
		     {"broadcast", RTN_BROADCAST},
		     {"anycast", RTN_ANYCAST},
		     {"multicast", RTN_MULTICAST},
		     {"blackhole", RTN_BLACKHOLE},
		     {"unreachable", RTN_UNREACHABLE},
		     {"prohibit", RTN_PROHIBIT},
		     {"throw", RTN_THROW}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (take(l, known[i].word)) {
			*ret = known[i].type;
			return true;
		}
	}
	return false;
}

/* "mtu [lock] 1400": the kernel's RTAX_ numbers, with its units. */
static bool metric(struct line *l, struct ha_net_route *r)
{
	static const struct {
		const char *word;
		uint8_t number;
		uint8_t factor;
	} known[] = {
	    {"mtu", RTAX_MTU, 1},	    {"advmss", RTAX_ADVMSS, 1},
	    {"rtt", RTAX_RTT, 8},	    {"rttvar", RTAX_RTTVAR, 4},
	    {"window", RTAX_WINDOW, 1},	    {"cwnd", RTAX_CWND, 1},
	    {"ssthresh", RTAX_SSTHRESH, 1}, {"reordering", RTAX_REORDERING, 1},
	    {"hoplimit", RTAX_HOPLIMIT, 1}, {"initcwnd", RTAX_INITCWND, 1},
	    {"initrwnd", RTAX_INITRWND, 1}, {"rto_min", RTAX_RTO_MIN, 1},
	    {"quickack", RTAX_QUICKACK, 1}, {"fastopen_no_cookie", RTAX_FASTOPEN_NO_COOKIE, 1}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		uint32_t v;

		if (!take(l, known[i].word))
			continue;
		if (take(l, "lock"))
			r->metrics[RTAX_LOCK] |= 1u << known[i].number;
		if (number(l, UINT32_MAX / known[i].factor, &v))
			r->metrics[known[i].number] = v * known[i].factor;
		return true;
	}
	return false;
}

/* LABEL[/LABEL...], the outermost first. */
static void encap_labels(struct line *l, struct ha_net_encap *e)
{
	const struct conf_word *w = value(l);
	const char *at = w ? w->text : NULL;

	e->type = LWTUNNEL_ENCAP_MPLS;
	while (w && e->n_labels < HA_NET_LABELS_MAX) {
		char *end;
		unsigned long v = strtoul(at, &end, 10);

		if (end == at || *at < '0' || *at > '9' || v > 0xfffff || (*end && *end != '/'))
			break;
		e->u.labels[e->n_labels++] = (uint32_t)v;
		at = end + 1;
		if (!*end)
			return;
	}
	if (w)
		fail(l, w, "list of labels: write LABEL[/LABEL...]");
}

/* 64 bits as four groups of an IPv6 address. */
static void encap_locator(struct line *l, struct ha_net_encap *e)
{
	const struct conf_word *w = value(l);
	struct ha_ip ip;
	int colons = 0;

	if (!w)
		return;
	e->type = LWTUNNEL_ENCAP_ILA;
	e->u.ila.ident_type = ILA_ATYPE_USE_FORMAT;
	for (const char *c = w->text; *c; c++)
		colons += *c == ':';
	if (colons != 3 || ha_ip_parse(conf_printf(l->p->scratch, "%s::", w->text), &ip) < 0 ||
	    ip.family != AF_INET6) {
		fail(l, w, "locator: write four groups, A:B:C:D");
		return;
	}
	for (int i = 0; i < 8; i++)
		e->u.ila.locator = e->u.ila.locator << 8 | ip.bytes[i];
}

/* What follows "encap ip" or "encap ip6": until a word that is of the route again. */
static void encap_tunnel(struct line *l, struct ha_net_encap *e)
{
	uint32_t v = 0;

	while (word(l) && !l->failed) {
		if (take(l, "id"))
			e->u.ip.id = number(l, UINT32_MAX, &v) ? v : 0;
		else if (take(l, "src"))
			address(l, &e->u.ip.src);
		else if (take(l, "dst"))
			address(l, &e->u.ip.dst);
		else if (take(l, "ttl") || take(l, "hoplimit"))
			e->ttl = number(l, 255, &v) ? (uint8_t)v : 0;
		else if (take(l, "dsfield") || take(l, "tos") || take(l, "tc"))
			e->tos = named(l, "rt_dsfield", 255, &v) ? (uint8_t)v : 0;
		else if (take(l, "flags"))
			e->flags = number(l, UINT16_MAX, &v) ? (uint16_t)v : 0;
		else
			break;
	}
}

static void encap(struct line *l, struct ha_net_encap *e)
{
	const struct conf_word *kind = word(l);

	if (take(l, "mpls")) {
		encap_labels(l, e);
	} else if (take(l, "ila")) {
		encap_locator(l, e);
	} else if (take(l, "ip") || take(l, "ip6")) {
		e->type = kind->text[2] ? LWTUNNEL_ENCAP_IP6 : LWTUNNEL_ENCAP_IP;
		encap_tunnel(l, e);
		if (!l->failed && !e->u.ip.id && !e->u.ip.dst.family)
			fail(l, kind, "encapsulation without id and dst");
	} else if (value(l)) {
		fail(l, kind, "encapsulation: write mpls, ip, ip6 or ila");
	}
}

static struct conf_hop *add_hop(struct line *l, struct conf_route *r)
{
	r->hops = conf_grow(l->p->memory, r->hops, r->n_hops, sizeof(*r->hops));
	r->hops[r->n_hops] = (struct conf_hop){.hop = {.size = sizeof(struct ha_net_nexthop)}};
	return &r->hops[r->n_hops++];
}

/* "nexthop via ADDRESS dev INTERFACE weight N onlink": to the end of the line, or the next one. */
static void hop(struct line *l, struct conf_route *r)
{
	struct conf_hop *h = add_hop(l, r);

	while (word(l) && !is(l, "nexthop") && !l->failed) {
		if (take(l, "via") || take(l, "gw")) {
			if (!take(l, "inet"))
				take(l, "inet6");
			address(l, &h->hop.via);
		} else if (take(l, "dev")) {
			device(l, &h->dev);
		} else if (take(l, "weight")) {
			number(l, 256, &h->hop.weight);
		} else if (take(l, "realms")) {
			realms(l, &h->hop.realms);
		} else if (take(l, "onlink")) {
			h->hop.flags |= RTNH_F_ONLINK;
		} else if (take(l, "encap")) {
			encap(l, &h->hop.encap);
		} else {
			unknown(l, "nexthop");
		}
	}
}

/* "via A or B" shares the flows between two routers. */
static void gateway(struct line *l, struct conf_route *r)
{
	if (!take(l, "inet"))
		take(l, "inet6");
	address(l, &r->route.via);
	while (take(l, "or") && !l->failed) {
		if (!r->n_hops)
			add_hop(l, r)->hop.via = r->route.via;
		address(l, &add_hop(l, r)->hop.via);
	}
	if (r->n_hops)
		r->route.via = (struct ha_ip){0};
}

static void preference(struct line *l, uint8_t *ret)
{
	static const char *const known[] = {"medium", "high", "", "low"};
	const struct conf_word *w = value(l);

	for (uint8_t i = 0; w && i < 4; i++) {
		if (*known[i] && !strcmp(w->text, known[i])) {
			*ret = i;
			return;
		}
	}
	if (w)
		fail(l, w, "preference: low, medium or high");
}

static void congestion(struct line *l, struct ha_net_route *r)
{
	const struct conf_word *w;

	if (take(l, "lock"))
		r->metrics[RTAX_LOCK] |= 1u << RTAX_CC_ALGO;
	w = value(l);
	if (w && strlen(w->text) >= sizeof(r->congestion))
		fail(l, w, "congestion control");
	else if (w)
		strcpy(r->congestion, w->text);
}

/* What says where the route leads. */
static bool route_way(struct line *l, struct conf_route *r)
{
	struct ha_net_route *n = &r->route;
	uint32_t v = 0;

	if (take(l, "via") || take(l, "gw"))
		gateway(l, r);
	else if (take(l, "dev") || take(l, "oif"))
		device(l, &r->dev);
	else if (take(l, "src"))
		address(l, &n->prefsrc);
	else if (take(l, "from"))
		route_prefix(l, &n->src, &n->src_len);
	else if (take(l, "nexthop"))
		hop(l, r);
	else if (take(l, "encap"))
		encap(l, &n->encap);
	else if (take(l, "vrf"))
		device(l, &r->vrf);
	else if (take(l, "onlink"))
		n->flags |= RTNH_F_ONLINK;
	else if (take(l, "scope"))
		n->scope = named(l, "rt_scopes", 255, &v) ? (uint8_t)v : 0;
	else if (take(l, "table"))
		named(l, "rt_tables", UINT32_MAX, &n->table);
	else if (take(l, "to"))
		route_prefix(l, &n->dst, &n->dst_len);
	else
		return false;
	return true;
}

/* What tells it from others, and how it is added. */
static bool route_kind(struct line *l, struct conf_route *r)
{
	struct ha_net_route *n = &r->route;
	uint32_t v = 0;

	if (take(l, "tos") || take(l, "dsfield"))
		n->tos = named(l, "rt_dsfield", 255, &v) ? (uint8_t)v : 0;
	else if (take(l, "protocol"))
		n->protocol = named(l, "rt_protos", 255, &v) ? (uint8_t)v : 0;
	else if (take(l, "metric") || take(l, "priority") || take(l, "preference"))
		number(l, UINT32_MAX, &n->priority);
	else if (take(l, "realms"))
		realms(l, &n->realms);
	else if (take(l, "congctl"))
		congestion(l, n);
	else if (take(l, "pref"))
		preference(l, &n->pref);
	else if (take(l, "expires"))
		number(l, UINT32_MAX, &n->expires_s);
	else if (take(l, "features") && take(l, "ecn"))
		n->metrics[RTAX_FEATURES] |= RTAX_FEATURE_ECN;
	else if (take(l, "inet") || take(l, "inet6"))
		n->family = l->n->word[l->at - 1].text[4] ? AF_INET6 : AF_INET;
	else if (take(l, "add"))
		r->how = CONF_ROUTE_ADD;
	else if (take(l, "append"))
		r->how = CONF_ROUTE_APPEND;
	else if (take(l, "prepend"))
		r->how = CONF_ROUTE_PREPEND;
	else
		return false;
	return true;
}

/* The destination stands for itself, anywhere before what belongs to it. */
static bool destination(struct line *l, struct conf_route *r, bool *has)
{
	const char *text = l->n->word[l->at].text;

	if (*has || (!strchr(text, '.') && !strchr(text, ':') && strcmp(text, "default") != 0))
		return false;
	*has = route_prefix(l, &r->route.dst, &r->route.dst_len);
	return true;
}

/* Only the gateway of an IPv4 route may be of the other family. */
static bool is_mixed(const struct ha_net_route *r)
{
	const struct ha_ip *one[] = {&r->dst, &r->src, &r->prefsrc};
	bool v4 = r->family == AF_INET, v6 = r->family == AF_INET6;

	for (size_t i = 0; i < sizeof(one) / sizeof(*one); i++) {
		v4 |= one[i]->family == AF_INET;
		v6 |= one[i]->family == AF_INET6;
	}
	return v6 && (v4 || r->via.family == AF_INET);
}

void conf_route_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i)
{
	struct line l = {.p = p, .n = n};
	struct conf_route r = {.route = {.size = sizeof(r.route)}, .at = n->word->at};
	bool has = false;

	route_type(&l, &r.route.type);
	while (word(&l) && !l.failed) {
		if (!destination(&l, &r, &has) && !route_way(&l, &r) && !route_kind(&l, &r) &&
		    !metric(&l, &r.route) && !ttl_propagate(&l) &&
		    !common_option(&l, &r.no_track, &r.track_group))
			unknown(&l, "route");
	}
	if (!l.failed && is_mixed(&r.route))
		fail(&l, n->word, "route: it mixes IPv4 and IPv6");
	if (l.failed)
		return;
	if (!r.route.family && !r.route.dst.family && !r.route.via.family && !r.n_hops)
		r.route.family = AF_INET;
	if (!r.route.protocol)
		r.route.protocol = RTPROT_KEEPALIVED;
	r.text = joined(&l);
	r.index = p->conf->n_lines++;
	i->routes = conf_grow(p->memory, i->routes, i->n_routes, sizeof(r));
	i->routes[i->n_routes++] = r;
}

/* ---- Rules ---- */

static bool rule_action(struct line *l, struct ha_net_rule *r)
{
	static const struct {
		const char *word;
		uint8_t action;
	} known[] = {{"blackhole", FR_ACT_BLACKHOLE},
		     {"unreachable", FR_ACT_UNREACHABLE},
		     {"prohibit", FR_ACT_PROHIBIT},
		     {"nop", FR_ACT_NOP}};

	if (take(l, "goto")) {
		r->action = FR_ACT_GOTO;
		return number(l, UINT32_MAX, &r->goto_priority), true;
	}
	take(l, "type");
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (take(l, known[i].word)) {
			r->action = known[i].action;
			return true;
		}
	}
	return false;
}

static void rule_device(struct line *l, char ret[HA_NET_NAME_SIZE])
{
	const char *name = NULL;

	device(l, &name);
	if (name)
		strncpy(ret, name, HA_NET_NAME_SIZE - 1);
}

/* A, A-B; with another sign A/B. */
static bool pair(struct line *l, char sign, uint32_t max, uint32_t *ret_a, uint32_t *ret_b)
{
	const struct conf_word *w = value(l);
	unsigned long long a, b;
	char *end, *last;

	if (!w)
		return false;
	a = b = strtoull(w->text, &end, 0);
	last = end;
	if (*end == sign)
		b = strtoull(end + 1, &last, 0);
	if (*w->text < '0' || *w->text > '9' || *last || a > max || b > max) {
		fail(l, w, "number, or pair of numbers");
		return false;
	}
	*ret_a = (uint32_t)a;
	*ret_b = (uint32_t)b;
	return true;
}

static void ports(struct line *l, uint16_t *first, uint16_t *last)
{
	uint32_t a, b;

	if (pair(l, '-', 65535, &a, &b)) {
		*first = (uint16_t)a;
		*last = (uint16_t)b;
	}
}

static void ip_protocol(struct line *l, uint8_t *ret)
{
	const struct conf_word *w = value(l);
	static const struct {
		const char *word;
		uint8_t number;
	} known[] = {{"tcp", IPPROTO_TCP},	 {"udp", IPPROTO_UDP},
		     {"sctp", IPPROTO_SCTP},	 {"icmp", IPPROTO_ICMP},
		     {"icmpv6", IPPROTO_ICMPV6}, {"ipv6-icmp", IPPROTO_ICMPV6}};
	char *end;
	unsigned long v;

	for (size_t i = 0; w && i < sizeof(known) / sizeof(*known); i++) {
		if (!strcasecmp(w->text, known[i].word)) {
			*ret = known[i].number;
			return;
		}
	}
	v = w ? strtoul(w->text, &end, 0) : 0;
	if (w && (*end || !v || v > 255))
		fail(l, w, "protocol: write tcp, udp, sctp, icmp, icmpv6 or a number");
	else
		*ret = (uint8_t)v;
}

/* To which packets it applies. */
static bool rule_condition(struct line *l, struct ha_net_rule *r)
{
	uint32_t v = 0, mask;

	if (take(l, "from"))
		rule_prefix(l, &r->from, &r->from_len);
	else if (take(l, "to"))
		rule_prefix(l, &r->to, &r->to_len);
	else if (take(l, "iif") || take(l, "dev"))
		rule_device(l, r->iif);
	else if (take(l, "oif"))
		rule_device(l, r->oif);
	else if (take(l, "tos") || take(l, "dsfield"))
		r->tos = named(l, "rt_dsfield", 255, &v) ? (uint8_t)v : 0;
	else if (is(l, "fwmark")) {
		l->at++;
		if (pair(l, '/', UINT32_MAX, &v, &mask)) {
			r->fwmark = v;
			r->fwmask = strchr(l->n->word[l->at - 1].text, '/') ? mask : UINT32_MAX;
		}
	} else if (take(l, "uidrange"))
		r->by_uid = pair(l, '-', UINT32_MAX, &r->uid_first, &r->uid_last);
	else if (take(l, "ipproto") || take(l, "ip_proto"))
		ip_protocol(l, &r->ip_proto);
	else if (take(l, "sport"))
		ports(l, &r->sport_first, &r->sport_last);
	else if (take(l, "dport"))
		ports(l, &r->dport_first, &r->dport_last);
	else if (take(l, "tunnel-id"))
		r->tun_id = number(l, UINT32_MAX, &v) ? v : 0;
	else if (take(l, "not"))
		r->invert = true;
	else
		return false;
	return true;
}

/* The library takes 0 for none; between the kernel's own rule, which is 0, and 1 there is none. */
static void preference_of_rule(struct line *l, uint32_t *ret)
{
	if (number(l, UINT32_MAX, ret) && !*ret)
		*ret = 1;
}

/* What is done, and when it is asked. */
static bool rule_result(struct line *l, struct ha_net_rule *r)
{
	uint32_t v = 0;

	if (take(l, "table") || take(l, "lookup"))
		named(l, "rt_tables", UINT32_MAX, &r->table);
	else if (take(l, "preference") || take(l, "priority") || take(l, "order") ||
		 take(l, "pref"))
		preference_of_rule(l, &r->priority);
	else if (take(l, "realms"))
		realms(l, &r->realms);
	else if (take(l, "l3mdev"))
		r->l3mdev = true;
	else if (take(l, "suppress_prefixlength"))
		r->suppress_prefix = number(l, 128, &r->suppress_prefix_len);
	else if (take(l, "suppress_ifgroup"))
		r->suppress_group = named(l, "group", UINT32_MAX, &r->suppress_ifgroup);
	else if (take(l, "protocol"))
		r->protocol = named(l, "rt_protos", 255, &v) ? (uint8_t)v : 0;
	else if (take(l, "inet") || take(l, "inet6"))
		r->family = l->n->word[l->at - 1].text[4] ? AF_INET6 : AF_INET;
	else
		return rule_action(l, r);
	return true;
}

/* The kernel's own choice would be another one each time. As keepalived: from 16384 down, in each family. */
static uint32_t next_preference(struct conf_parse *p, const struct conf_rule *r)
{
	uint32_t *last = &p->last_preference[r->rule.family == AF_INET6];

	*last = *last ? *last - 1 : 16384;
	conf_note(p, &r->at, "a rule without preference: %u is taken. Write preference NUMBER", *last);
	return *last;
}

static uint8_t rule_family(const struct ha_net_rule *r)
{
	if (r->family)
		return r->family;
	if (r->from.family)
		return r->from.family;
	return r->to.family ? r->to.family : AF_INET;
}

static bool is_mixed_rule(const struct ha_net_rule *r)
{
	return (r->from.family && r->from.family != r->family) || (r->to.family && r->to.family != r->family);
}

static bool leads_nowhere(const struct ha_net_rule *r)
{
	return !r->action && !r->table && !r->l3mdev;
}

void conf_rule_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i)
{
	struct line l = {.p = p, .n = n};
	struct conf_rule r = {.rule = {.size = sizeof(r.rule)}, .at = n->word->at};
	const char *track_group = NULL;

	while (word(&l) && !l.failed)
		if (!rule_condition(&l, &r.rule) && !rule_result(&l, &r.rule) &&
		    !common_option(&l, &r.no_track, &track_group))
			unknown(&l, "rule");
	r.rule.family = rule_family(&r.rule);
	if (!l.failed && is_mixed_rule(&r.rule))
		fail(&l, n->word, "rule: it mixes IPv4 and IPv6");
	if (!l.failed && leads_nowhere(&r.rule))
		fail(&l, n->word, "rule: write what is done, as table TABLE");
	if (l.failed)
		return;
	if (track_group)
		conf_note(p, &r.at,
			  "a rule has no interface that could fail: track_group changes nothing");
	if (!r.rule.protocol)
		r.rule.protocol = RTPROT_KEEPALIVED;
	r.text = joined(&l);
	if (!r.rule.priority) {
		r.rule.priority = next_preference(p, &r);
		r.text = conf_printf(p->memory, "%s preference %u", r.text, r.rule.priority);
	}
	r.index = p->conf->n_lines++;
	i->rules = conf_grow(p->memory, i->rules, i->n_rules, sizeof(r));
	i->rules[i->n_rules++] = r;
}
