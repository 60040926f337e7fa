/* SPDX-License-Identifier: MIT */
/* The SNMP probe: a GetRequest and the value of its Response (RFC 1157 §4.1, RFC 3416 §4.2). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_services.h>

#include "base/mem.h"
#include "base/sized.h"
#include "ber.h"
#include "line.h"
#include "reply.h"

#define GET_REQUEST 0xa0
#define RESPONSE 0xa2
#define NO_SUCH_FIRST 0x80 /* noSuchObject, noSuchInstance, endOfMibView: instead of a value */
#define NO_SUCH_LAST 0x82
#define IP_ADDRESS 0x40
#define COUNTER 0x41
#define COUNTER64 0x46
#define OID_BYTES 512
#define REQUEST_BYTES 1024
#define SYS_UP_TIME "1.3.6.1.2.1.1.3.0"

struct snmp_config {
	bool v1, has_value;
	size_t oid_len;
	uint8_t oid[OID_BYTES];
	char community[HEALTH_SNMP_WORD_MAX + 1];
	char value[HEALTH_SNMP_WORD_MAX + 1];
};

struct snmp_state {
	uint32_t id;
	uint8_t out[REQUEST_BYTES];
};

/* ---- the options ---- */

/* Seven bits a byte, the highest first, all but the last marked (X.690 §8.19). */
static void write_arc(struct writer *w, uint64_t arc)
{
	int bits = 63;

	while (bits > 0 && !(arc >> bits))
		bits -= 7;
	for (; bits >= 0; bits -= 7)
		write_u8(w, (uint8_t)((arc >> bits & 127) | (bits ? 128 : 0)));
}

/* "1.3.6.1…", with or without a first dot. */
static bool keep_oid(struct snmp_config *c, const char *s)
{
	struct writer w = writer_of(c->oid, sizeof(c->oid));
	uint64_t arc, first = 0;
	int n = 0;

	if (*s == '.')
		s++;
	for (;; n++) {
		if (!is_digit((uint8_t)*s))
			return false;
		for (arc = 0; is_digit((uint8_t)*s) && arc <= UINT32_MAX; s++)
			arc = arc * 10 + (uint64_t)(*s - '0');
		if (arc > UINT32_MAX || (n == 0 && arc > 2) || (n == 1 && first < 2 && arc > 39))
			return false;
		if (n == 0)
			first = arc;
		else
			write_arc(&w, n == 1 ? first * 40 + arc : arc);
		if (!*s)
			break;
		if (*s++ != '.')
			return false;
	}
	c->oid_len = writer_len(&w);
	return n && !w.bad;
}

static bool keep_word(char *ret, const char *s)
{
	size_t len = strnlen(s, HEALTH_SNMP_WORD_MAX + 1);

	if (len > HEALTH_SNMP_WORD_MAX)
		return false;
	memcpy(ret, s, len + 1);
	return true;
}

static void snmp_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct snmp_config));
}

static int snmp_setup(const void *opts, void **ret_config)
{
	struct health_snmp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct snmp_config *c;

	if (r < 0)
		return r;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->v1 = o.v1;
	c->has_value = o.value;
	if (!keep_word(c->community, o.community ? o.community : "public") ||
	    !keep_oid(c, o.oid ? o.oid : SYS_UP_TIME) ||
	    (o.value && !keep_word(c->value, o.value))) {
		snmp_teardown(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

/* ---- the request ---- */

static enum health_step snmp_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct snmp_config *c = config;
	struct snmp_state *s = state;
	struct writer w = writer_of(s->out, sizeof(s->out));
	uint8_t *message, *pdu, *list, *variable, id[4];
	struct writer id_writer = writer_of(id, sizeof(id));

	s->id = (uint32_t)(io->nonce ^ io->now_ns) & 0x3fffffff;
	s->id |= 0x40000000; /* four bytes, no sign: the shortest form of it, as BER wants */
	write_be32(&id_writer, s->id);
	message = ber_begin(&w, BER_SEQUENCE);
	ber_write_small(&w, BER_INTEGER, c->v1 ? 0 : 1);
	ber_write(&w, BER_OCTETS, c->community, strlen(c->community));
	pdu = ber_begin(&w, GET_REQUEST);
	ber_write(&w, BER_INTEGER, id, sizeof(id));
	ber_write_small(&w, BER_INTEGER, 0); /* error-status */
	ber_write_small(&w, BER_INTEGER, 0); /* error-index */
	list = ber_begin(&w, BER_SEQUENCE);
	variable = ber_begin(&w, BER_SEQUENCE);
	ber_write(&w, BER_OID, c->oid, c->oid_len);
	ber_write(&w, BER_NULL, "", 0);
	ber_end(&w, variable);
	ber_end(&w, list);
	ber_end(&w, pdu);
	ber_end(&w, message);
	return reply_send(io, s->out, writer_len(&w));
}

/* ---- the answer ---- */

static const char *error_name(uint32_t status)
{
	static const char *const names[] = {"noError",	"tooBig",   "noSuchName",
					    "badValue", "readOnly", "genErr"};

	return status < sizeof(names) / sizeof(*names) ? names[status] : "error";
}

/* Numbers in decimal, texts as they are, other things in hexadecimal. */
static void value_text(uint8_t tag, struct reader value, char *text, size_t size)
{
	bool is_signed = tag == BER_INTEGER;
	size_t len = reader_left(&value), at = 0;

	if ((is_signed || (tag >= COUNTER && tag <= COUNTER64)) && len && len <= 9) {
		uint64_t n = is_signed && *value.at & 0x80 ? UINT64_MAX : 0;

		while (reader_left(&value))
			n = n << 8 | read_u8(&value);
		if (is_signed)
			snprintf(text, size, "%lld", (long long)n);
		else
			snprintf(text, size, "%llu", (unsigned long long)n);
		return;
	}
	if (tag == BER_OCTETS) {
		line_excerpt(&value, text, size);
		return;
	}
	text[0] = '\0';
	while (reader_left(&value) && at + 3 < size)
		at += (size_t)snprintf(text + at, size - at, "%02x", read_u8(&value));
}

static enum health_step judge_value(const struct snmp_config *c, struct reader *list,
				    struct health_probe_io *io)
{
	struct reader variable = ber_read(list, BER_SEQUENCE), name, value;
	char text[HEALTH_SNMP_WORD_MAX + 2];
	uint32_t len;
	uint8_t tag;

	name = ber_read(&variable, BER_OID);
	tag = ber_read_head(&variable, &len);
	value = read_part(&variable, len);
	if (variable.bad || reader_left(&name) != c->oid_len ||
	    memcmp(name.at, c->oid, c->oid_len) != 0)
		return reply_broken(io, 0, "not the variable that was asked for");
	if (tag >= NO_SUCH_FIRST && tag <= NO_SUCH_LAST)
		return reply_no(io, 0, "no such object");
	value_text(tag, value, text, sizeof(text));
	if (c->has_value && strcmp(text, c->value) != 0)
		return reply_broken(io, 0, text);
	return reply_ok(io, 0, text);
}

/* What is no answer to this request may be late or forged: the right one may still come. */
static enum health_step snmp_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	const struct snmp_config *c = config;
	const struct snmp_state *s = state;
	struct reader r = reader_of(data, len), message = ber_read(&r, BER_SEQUENCE), pdu, list;
	uint32_t version = ber_read_number(&message, BER_INTEGER), id, status;

	ber_read(&message, BER_OCTETS); /* community */
	pdu = ber_read(&message, RESPONSE);
	id = ber_read_number(&pdu, BER_INTEGER);
	status = ber_read_number(&pdu, BER_INTEGER);
	ber_read_number(&pdu, BER_INTEGER);
	list = ber_read(&pdu, BER_SEQUENCE);
	if (pdu.bad || version != (c->v1 ? 0 : 1) || id != s->id)
		return HEALTH_STEP_MORE;
	if (status)
		return reply_no(io, status, error_name(status));
	return judge_value(c, &list, io);
}

const struct health_probe_ops *health_probe_snmp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "snmp",
	    .state_size = sizeof(struct snmp_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = snmp_setup,
	    .teardown = snmp_teardown,
	    .open = snmp_open,
	    .received = snmp_received,
	};

	return &ops;
}
