/* SPDX-License-Identifier: MIT */
/* Lines of addresses, in the words of ip-address(8). */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "conf/route.h"
#include "conf/words.h"

/* Like keepalived it takes an address with a bad one, as that of a host: better than to go without it. */
static void read_prefix(struct conf_parse *p, const struct conf_word *w, const char *slash,
			struct conf_address *a)
{
	unsigned max = a->ip.family == AF_INET ? 32 : 128;
	char *end;
	unsigned long v;

	a->prefix = (uint8_t)max;
	if (!slash)
		return;
	v = strtoul(slash + 1, &end, 10);
	if (end == slash + 1 || *end || v > max)
		conf_warn(p, &w->at, "\"%s\" is no prefix length from 0 to %u: %u is taken", slash,
			  max, max);
	else
		a->prefix = (uint8_t)v;
}

static bool read_address(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	const char *slash = strchr(w->text, '/');
	const char *ip =
	    slash ? conf_strndup(p->scratch, w->text, (size_t)(slash - w->text)) : w->text;

	a->at = w->at;
	if (ha_ip_parse(ip, &a->ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not an address: write ADDRESS/PREFIX. Skipped",
			  w->text);
		return false;
	}
	read_prefix(p, w, slash, a);
	return true;
}

static void read_scope(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	static const struct {
		const char *word;
		uint8_t value;
	} known[] = {{"global", RT_SCOPE_UNIVERSE}, {"universe", RT_SCOPE_UNIVERSE},
		     {"site", RT_SCOPE_SITE},	    {"link", RT_SCOPE_LINK},
		     {"host", RT_SCOPE_HOST},	    {"nowhere", RT_SCOPE_NOWHERE}};
	double v;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i].word)) {
			a->scope = known[i].value;
			return;
		}
	}
	if (conf_number(p, w, 0, 255, true, &v))
		a->scope = (uint8_t)v;
}

static void read_broadcast(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	bool plus = !strcmp(w->text, "+"), minus = !strcmp(w->text, "-");
	uint32_t host;

	if (plus || minus) {
		if (a->ip.family != AF_INET || a->prefix > 30)
			return;
		host = UINT32_MAX >> a->prefix;
		a->broadcast = a->ip;
		for (int i = 0; i < 4; i++) {
			uint8_t bits = (uint8_t)(host >> (24 - 8 * i));

			a->broadcast.bytes[i] = plus ? a->broadcast.bytes[i] | bits
						     : a->broadcast.bytes[i] & (uint8_t)~bits;
		}
		return;
	}
	if (ha_ip_parse(w->text, &a->broadcast) < 0 || a->broadcast.family != AF_INET) {
		conf_warn(p, &w->at, "\"%s\" is not a broadcast address: skipped", w->text);
		a->broadcast = (struct ha_ip){0};
	}
}

/* "peer ADDRESS[/PREFIX]": the prefix is then the peer's. */
static void read_peer(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	struct conf_address peer = {.at = w->at};

	if (!read_address(p, w, &peer))
		return;
	if (peer.ip.family != a->ip.family) {
		conf_warn(p, &w->at, "\"%s\" is of another family than the address: skipped",
			  w->text);
		return;
	}
	a->peer = peer.ip;
	a->prefix = peer.prefix;
}

static void read_preferred(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	double v;

	if (!strcmp(w->text, "forever"))
		a->preferred_s = CONF_FOREVER;
	else if (conf_number(p, w, 0, UINT32_MAX - 1, true, &v))
		a->preferred_s = (int64_t)v;
}

/* A word that is an option without a value. */
static bool read_address_flag(const struct conf_word *w, struct conf_address *a)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} known[] = {{"home", IFA_F_HOMEADDRESS},
		     {"mngtmpaddr", IFA_F_MANAGETEMPADDR},
		     {"noprefixroute", IFA_F_NOPREFIXROUTE},
		     {"autojoin", IFA_F_MCAUTOJOIN}};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i].word)) {
			a->flags |= known[i].flag;
			return true;
		}
	}
	if (!strcmp(w->text, "no_track"))
		return a->no_track = true;
	if (!strcmp(w->text, "-nodad"))
		return a->dad = true;
	return !strcmp(w->text, "use_vmac") && (a->use_vmac = true);
}

/* An option of an address and its value; how many words it took. */
static size_t read_address_option(struct conf_parse *p, const struct conf_word *w, size_t n,
				  struct conf_address *a)
{
	if (read_address_flag(w, a))
		return 1;
	if (n > 1 && !strcmp(w->text, "dev"))
		a->dev = conf_keep(p, w[1].text);
	else if (n > 1 && !strcmp(w->text, "label"))
		a->label = conf_keep(p, w[1].text);
	else if (n > 1 && !strcmp(w->text, "scope"))
		read_scope(p, &w[1], a);
	else if (n > 1 && (!strcmp(w->text, "brd") || !strcmp(w->text, "broadcast")))
		read_broadcast(p, &w[1], a);
	else if (n > 1 && !strcmp(w->text, "peer"))
		read_peer(p, &w[1], a);
	else if (n > 1 && !strcmp(w->text, "preferred_lft"))
		read_preferred(p, &w[1], a);
	else if (n > 1 && !strcmp(w->text, "track_group"))
		a->track_group = conf_keep(p, w[1].text);
	else {
		conf_warn(p, &w->at,
			  "\"%s\" is no option of an address, or lacks its value: skipped",
			  w->text);
		return 1;
	}
	return 2;
}

static void check_device(struct conf_parse *p, const struct conf_word *w, struct conf_address *a)
{
	if (a->dev && (!*a->dev || strlen(a->dev) >= IFNAMSIZ)) {
		conf_warn(p, &w->at,
			  "\"%s\" is not the name of an interface: the instance's is "
			  "taken",
			  a->dev);
		a->dev = NULL;
	}
	if (a->label && strlen(a->label) >= IFNAMSIZ) {
		conf_warn(p, &w->at, "label \"%s\" is longer than %d characters: left out",
			  a->label, IFNAMSIZ - 1);
		a->label = NULL;
	}
}

bool conf_read_address(struct conf_parse *p, const struct conf_word *w, struct ha_ip *ret,
		       uint8_t *ret_prefix)
{
	struct conf_address a = {0};

	if (!read_address(p, w, &a))
		return false;
	*ret = a.ip;
	*ret_prefix = a.prefix;
	return true;
}

void conf_address_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i,
		       bool advertised)
{
	struct conf_address a = {.advertised = advertised, .preferred_s = CONF_UNSET};
	size_t at = 1;

	if (!read_address(p, n->word, &a))
		return;
	while (at < n->n)
		at += read_address_option(p, &n->word[at], n->n - at, &a);
	check_device(p, n->word, &a);
	if (a.use_vmac && i == p->conf->fixed)
		conf_warn(p, &n->word->at,
			  "use_vmac has no effect here: an address that never moves has no virtual "
			  "router");
	i->addresses = conf_grow(p->memory, i->addresses, i->n_addresses, sizeof(a));
	i->addresses[i->n_addresses++] = a;
}
