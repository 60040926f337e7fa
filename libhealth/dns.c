/* SPDX-License-Identifier: MIT */
/* The DNS probe: one question, and the header of what comes back (RFC 1035 §4.1). */
#include <errno.h>
#include <string.h>

#include <libhealth/probe_dns.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"
#include "base/cursor.h"

#define HEADER_BYTES 12
#define NAME_MAX_BYTES 255
#define LABEL_MAX_BYTES 63
#define QUERY_MAX (HEADER_BYTES + NAME_MAX_BYTES + 4)
#define FLAG_QR 0x8000u
#define FLAG_RD 0x0100u
#define RCODE 0x000fu
#define CLASS_IN 1

struct dns_config {
	size_t query_len;
	uint8_t query[QUERY_MAX]; /* with an id of 0 */
};

struct dns_state {
	uint16_t id;
	bool strangers; /* datagrams came that were no answer */
	uint8_t query[QUERY_MAX];
};

/* "www.example.com[.]" as labels; false: no such name. */
static bool write_name(struct writer *w, const char *name)
{
	const size_t start = writer_len(w);

	if (!strcmp(name, "."))
		name = "";
	else if (!*name)
		return false;
	while (*name) {
		const char *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : strlen(name);

		if (!len || len > LABEL_MAX_BYTES || memchr(name, '\\', len))
			return false;
		write_u8(w, (uint8_t)len);
		write_bytes(w, name, len);
		name += dot ? len + 1 : len;
	}
	write_u8(w, 0);
	return !w->bad && writer_len(w) - start <= NAME_MAX_BYTES;
}

static bool write_query(struct dns_config *c, const char *name, uint16_t type)
{
	struct writer w = writer_of(c->query, sizeof(c->query));

	write_be16(&w, 0); /* id */
	write_be16(&w, FLAG_RD);
	write_be16(&w, 1); /* question */
	write_zero(&w, 6); /* answers, authorities, additional */
	if (!write_name(&w, name))
		return false;
	write_be16(&w, type);
	write_be16(&w, CLASS_IN);
	c->query_len = writer_len(&w);
	return !w.bad;
}

static void dns_teardown(void *config)
{
	mem_free(config);
}

static int dns_setup(const void *opts, void **ret_config)
{
	struct health_dns_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct dns_config *c;

	if (r < 0)
		return r;
	if (o.type > UINT16_MAX)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (!write_query(c, o.name ? o.name : ".",
			 (uint16_t)(o.type ? o.type : HEALTH_DNS_TYPE_SOA))) {
		mem_free(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

/* Another for each run; SplitMix64's last steps. */
static uint16_t id_of(uint64_t now_ns)
{
	uint64_t x = now_ns + 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint16_t)(x ^ x >> 31);
}

static enum health_step dns_open(void *state, const void *config, struct health_probe_io *io)
{
	struct dns_state *s = state;
	const struct dns_config *c = config;
	struct writer w = writer_of(s->query, sizeof(s->query));

	s->id = id_of(io->now_ns);
	write_be16(&w, s->id);
	write_bytes(&w, c->query + 2, c->query_len - 2);
	io->send = s->query;
	io->send_len = c->query_len;
	return HEALTH_STEP_MORE;
}

static const char *rcode_name(unsigned int rcode)
{
	static const char *const names[16] = {
	    "NOERROR",	"FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
	    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "DSOTYPENI",
	};

	return names[rcode] ? names[rcode] : "unknown rcode";
}

static enum health_step dns_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	struct dns_state *s = state;
	struct reader r = reader_of(data, len), header = read_part(&r, HEADER_BYTES);
	uint16_t id = read_be16(&header), flags = read_be16(&header);
	unsigned int rcode = flags & RCODE;

	(void)config;
	if (header.bad || id != s->id || !(flags & FLAG_QR)) {
		s->strangers = true;
		return HEALTH_STEP_MORE;
	}
	io->status = rcode;
	answer_set(io, rcode ? HEALTH_FAIL : HEALTH_OK,
		   rcode ? HEALTH_CODE_L7STS : HEALTH_CODE_L7OK, rcode_name(rcode));
	return HEALTH_STEP_DONE;
}

static enum health_step dns_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct dns_state *s = state;

	(void)config;
	if (!s->strangers)
		return HEALTH_STEP_MORE;
	answer_set(io, HEALTH_FAIL, HEALTH_CODE_L7TOUT, "datagrams came, none of them the answer");
	return HEALTH_STEP_DONE;
}

const struct health_probe_ops *health_probe_dns(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "dns",
	    .state_size = sizeof(struct dns_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = dns_setup,
	    .teardown = dns_teardown,
	    .open = dns_open,
	    .received = dns_received,
	    .timeout = dns_timeout,
	};

	return &ops;
}
