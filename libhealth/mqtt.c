/* SPDX-License-Identifier: MIT */
/* The MQTT probe: CONNECT, and the code of its CONNACK (MQTT 3.1.1 §3.1, §3.2). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_broker.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "reply.h"

#define CONNECT 0x10
#define CONNACK 0x20
#define CONNACK_BYTES 4
#define CLEAN_SESSION 0x02
#define HAS_PASSWORD 0x40
#define HAS_USER 0x80
#define KEEP_ALIVE_S 60
#define PACKET_MAX 1024

struct mqtt_config {
	char client_id[HEALTH_BROKER_WORD_MAX + 1]; /* "": another one each time */
	size_t login_len;
	uint8_t flags;
	uint8_t login[2 * (HEALTH_BROKER_WORD_MAX + 2)]; /* user and password as they go out */
};

struct mqtt_state {
	uint8_t out[PACKET_MAX];
};

static bool word_valid(const char *s)
{
	return !s || (*s && strnlen(s, HEALTH_BROKER_WORD_MAX + 1) <= HEALTH_BROKER_WORD_MAX);
}

static void write_text(struct writer *w, const char *s)
{
	write_be16(w, (uint16_t)strlen(s));
	write_bytes(w, s, strlen(s));
}

static void mqtt_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct mqtt_config));
}

static int mqtt_setup(const void *opts, void **ret_config)
{
	struct health_broker_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct mqtt_config *c;
	struct writer w;

	if (r < 0)
		return r;
	if (!word_valid(o.user) || !word_valid(o.password) || !word_valid(o.client_id) || o.vhost ||
	    (o.password && !o.user))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->flags = CLEAN_SESSION;
	w = writer_of(c->login, sizeof(c->login));
	if (o.client_id)
		memcpy(c->client_id, o.client_id, strlen(o.client_id) + 1);
	if (o.user) {
		c->flags |= HAS_USER;
		write_text(&w, o.user);
	}
	if (o.password) {
		c->flags |= HAS_PASSWORD;
		write_text(&w, o.password);
	}
	c->login_len = writer_len(&w);
	*ret_config = c;
	return 0;
}

/* Seven bits a byte, the lowest first (§2.2.3). */
static void write_length(struct writer *w, size_t len)
{
	do {
		write_u8(w, (uint8_t)((len & 127) | (len > 127 ? 128 : 0)));
		len >>= 7;
	} while (len);
}

static enum health_step mqtt_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct mqtt_config *c = config;
	struct mqtt_state *s = state;
	struct writer w = writer_of(s->out, sizeof(s->out));
	char id[24];

	snprintf(id, sizeof(id), "h%016llx", (unsigned long long)(io->nonce ^ io->now_ns));
	write_u8(&w, CONNECT);
	write_length(&w, 10 + 2 + strlen(c->client_id[0] ? c->client_id : id) + c->login_len);
	write_text(&w, "MQTT");
	write_u8(&w, 4); /* of 3.1.1 */
	write_u8(&w, c->flags);
	write_be16(&w, KEEP_ALIVE_S);
	write_text(&w, c->client_id[0] ? c->client_id : id);
	write_bytes(&w, c->login, c->login_len);
	return reply_send(io, s->out, writer_len(&w));
}

static enum health_step mqtt_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	static const char *const names[] = {"connection accepted",  "unacceptable protocol version",
					    "identifier rejected",  "server unavailable",
					    "bad user or password", "not authorized"};
	static const uint8_t disconnect[] = {0xe0, 0};
	struct reader r = reader_of(data, len);
	uint8_t type = read_u8(&r), size = reader_left(&r) ? read_u8(&r) : 2, code;

	if (type != CONNACK || size != 2)
		return reply_broken(io, 0, "not MQTT");
	if (len < CONNACK_BYTES) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	read_u8(&r); /* session present */
	code = read_u8(&r);
	if (code)
		return reply_no(io, code,
				code < sizeof(names) / sizeof(*names) ? names[code] : "refused");
	reply_send(io, disconnect, sizeof(disconnect));
	return reply_ok(io, 0, names[0]);
}

/* The packet holds the password. */
static void mqtt_end(void *state, const void *config)
{
	explicit_bzero(state, sizeof(struct mqtt_state));
}

const struct health_probe_ops *health_probe_mqtt(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "mqtt",
	    .state_size = sizeof(struct mqtt_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = mqtt_setup,
	    .teardown = mqtt_teardown,
	    .open = mqtt_open,
	    .received = mqtt_received,
	    .end = mqtt_end,
	};

	return &ops;
}
