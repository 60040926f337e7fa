/* SPDX-License-Identifier: MIT */
/* The first packets of MQTT 3.1, 3.1.1 and 5.0: CONNECT of a client, CONNACK of its server. Sections are those of MQTT 5.0. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rules/bytes.h"
#include "rules/expr.h"

enum {
	PACKET_CONNECT = 1,
	PACKET_CONNACK = 2,
};

#define FLAG_RESERVED 0x01u
#define FLAG_WILL 0x04u
#define FLAG_WILL_QOS 0x18u
#define FLAG_PASSWORD 0x40u
#define FLAG_USER 0x80u

enum name {
	NAME_FLAGS,
	NAME_PROTOCOL,
	NAME_VERSION,
	NAME_CLIENT,
	NAME_WILL_TOPIC,
	NAME_WILL_PAYLOAD,
	NAME_USER,
	NAME_PASSWORD,
	NAME_KEEPALIVE,
	NAME_REASON,
	NAME_PROPERTY, /* and behind it the property's number */
};

struct packet {
	unsigned type, flags, version, keepalive, reason;
	struct text protocol, client, will_topic, will_payload, user, password;
	struct input properties, will_properties;
};

/* Section 2.2.2.2: how a property's value is written. */
enum shape {
	SHAPE_NONE,
	SHAPE_1,
	SHAPE_2,
	SHAPE_4,
	SHAPE_VARIABLE,
	SHAPE_TEXT, /* or bytes */
	SHAPE_PAIR,
};

static enum shape shape_of(unsigned id)
{
	static const uint8_t shapes[43] = {
	    [1] = SHAPE_1,  [2] = SHAPE_4,  [3] = SHAPE_TEXT,  [8] = SHAPE_TEXT, [9] = SHAPE_TEXT,  [11] = SHAPE_VARIABLE,
	    [17] = SHAPE_4, [18] = SHAPE_TEXT, [19] = SHAPE_2, [21] = SHAPE_TEXT, [22] = SHAPE_TEXT, [23] = SHAPE_1,
	    [24] = SHAPE_4, [25] = SHAPE_1, [26] = SHAPE_TEXT, [28] = SHAPE_TEXT, [31] = SHAPE_TEXT, [33] = SHAPE_2,
	    [34] = SHAPE_2, [35] = SHAPE_2, [36] = SHAPE_1,    [37] = SHAPE_1,	 [38] = SHAPE_PAIR, [39] = SHAPE_4,
	    [40] = SHAPE_1, [41] = SHAPE_1, [42] = SHAPE_1,
	};

	return id < sizeof(shapes) ? (enum shape)shapes[id] : SHAPE_NONE;
}

/* Section 1.5.5: four bytes at most. */
static uint32_t variable(struct input *in)
{
	uint32_t value = 0;

	for (unsigned shift = 0; shift < 28; shift += 7) {
		const uint8_t *p = take_bytes(in, 1);

		if (!p)
			return 0;
		value |= (uint32_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80))
			return value;
	}
	in->is_short = true;
	return 0;
}

/* One property; its number, 0: there is none, or it is broken (then in->is_short). */
static unsigned next_property(struct input *in, bool *ret_is_number, uint32_t *ret_number, struct text *ret_text)
{
	unsigned id = in->at < in->end ? take_number(in, 1) : 0;
	enum shape shape = shape_of(id);

	*ret_is_number = true;
	switch (shape) {
	case SHAPE_1:
	case SHAPE_2:
	case SHAPE_4:
		*ret_number = take_number(in, shape == SHAPE_1 ? 1 : shape == SHAPE_2 ? 2 : 4);
		break;
	case SHAPE_VARIABLE:
		*ret_number = variable(in);
		break;
	case SHAPE_PAIR:
		take_vector(in, 2);
		/* fall through */
	case SHAPE_TEXT:
		*ret_is_number = false;
		*ret_text = text_in(take_vector(in, 2));
		break;
	case SHAPE_NONE:
		in->is_short |= id != 0;
		break;
	}
	return in->is_short ? 0 : id;
}

/* False: they are broken. */
static bool take_properties(struct input *in, struct input *ret)
{
	struct input all = *ret = take_part(in, variable(in)), unused = all;
	uint32_t number;
	bool is_number;
	struct text t;

	while (next_property(&unused, &is_number, &number, &t))
		;
	return !in->is_short && !unused.is_short && unused.at == unused.end;
}

static bool same(struct text t, const char *text)
{
	return t.len == strlen(text) && !memcmp(t.at, text, t.len);
}

/* Sections 3.1.2 and 3.1.3 */
static bool read_connect(struct input *in, struct packet *p)
{
	p->protocol = text_in(take_vector(in, 2));
	p->version = take_number(in, 1);
	if (!(same(p->protocol, "MQTT") && (p->version == 4 || p->version == 5)) && !(same(p->protocol, "MQIsdp") && p->version == 3))
		return false;
	p->flags = take_number(in, 1);
	if ((p->flags & FLAG_RESERVED) || (p->flags & FLAG_WILL_QOS) == FLAG_WILL_QOS)
		return false;
	p->keepalive = take_number(in, 2);
	if (p->version == 5 && !take_properties(in, &p->properties))
		return false;
	p->client = text_in(take_vector(in, 2));
	if (p->flags & FLAG_WILL) {
		if (p->version == 5 && !take_properties(in, &p->will_properties))
			return false;
		p->will_topic = text_in(take_vector(in, 2));
		p->will_payload = text_in(take_vector(in, 2));
	}
	if (p->flags & FLAG_USER)
		p->user = text_in(take_vector(in, 2));
	if (p->flags & FLAG_PASSWORD)
		p->password = text_in(take_vector(in, 2));
	return !in->is_short && in->at == in->end;
}

/* Section 3.2.2; only 5.0 has properties here. */
static bool read_connack(struct input *in, struct packet *p)
{
	p->flags = take_number(in, 1);
	p->reason = take_number(in, 1);
	p->version = input_left(in) ? 5 : 4;
	return !in->is_short && !(p->flags & 0xfe) && (p->version == 4 || take_properties(in, &p->properties)) && in->at == in->end;
}

/* Section 2.1. 0: it is none of the two, or broken; -1: it is not whole. */
static int read_packet(struct text t, struct packet *ret)
{
	struct input in = input_of(t), body;
	unsigned first = take_number(&in, 1);

	*ret = (struct packet){.type = first >> 4};
	if (t.len < 2)
		return -1;
	if (first & 0x0f || (ret->type != PACKET_CONNECT && ret->type != PACKET_CONNACK))
		return 0;
	body = take_part(&in, variable(&in));
	if (in.is_short)
		return -1;
	return ret->type == PACKET_CONNECT ? read_connect(&body, ret) : read_connack(&body, ret);
}

static bool is_valid(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct packet p;
	int found = read_packet(s->text, &p);

	*s = sample_bool(found > 0);
	return found >= 0;
}

static bool give_number(struct run *r, uint32_t number, struct sample *ret)
{
	char *at = scratch_take(&r->scratch, 11);

	if (!at)
		return false;
	*ret = sample_text(SAMPLE_STR, at, (size_t)snprintf(at, 11, "%u", number));
	return true;
}

static bool give_property(struct input in, unsigned wanted, struct run *r, struct sample *ret)
{
	uint32_t number = 0;
	struct text t = {NULL, 0};
	bool is_number;
	unsigned id;

	while ((id = next_property(&in, &is_number, &number, &t)) && id != wanted)
		;
	if (!id)
		return false;
	if (is_number)
		return give_number(r, number, ret);
	*ret = sample_text(SAMPLE_STR, t.at, t.len);
	return true;
}

/* mqtt_field_value(PACKET,FIELD) */
static bool field_value(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	struct packet p;
	struct text t = {NULL, 0};
	unsigned id;

	if (read_packet(s->text, &p) <= 0 || p.type != arg[0].number)
		return false;
	switch ((enum name)arg[1].number) {
	case NAME_FLAGS:
		return give_number(r, p.flags, s);
	case NAME_VERSION:
		return give_number(r, p.version, s);
	case NAME_KEEPALIVE:
		return give_number(r, p.keepalive, s);
	case NAME_REASON:
		return give_number(r, p.reason, s);
	case NAME_PROTOCOL:
		t = p.protocol;
		break;
	case NAME_CLIENT:
		t = p.client;
		break;
	case NAME_WILL_TOPIC:
		t = p.will_topic;
		break;
	case NAME_WILL_PAYLOAD:
		t = p.will_payload;
		break;
	case NAME_USER:
		t = p.user;
		break;
	case NAME_PASSWORD:
		t = p.password;
		break;
	default:
		id = (unsigned)arg[1].number - NAME_PROPERTY;
		return give_property(p.properties, id, r, s) || give_property(p.will_properties, id, r, s) ||
		       (p.version == 5 && shape_of(id) != SHAPE_TEXT && give_number(r, 0, s)); /* as HAProxy */
	}
	*s = sample_text(SAMPLE_STR, t.at, t.len);
	return t.at;
}

static bool check_names(struct expr_arg *arg, unsigned n, const struct rule_memory *m, struct rule_error *e)
{
	static const struct {
		const char *name;
		enum name id;
		unsigned packets; /* bits */
	} names[] = {
	    {"client_identifier", NAME_CLIENT, 1u << PACKET_CONNECT}, {"flags", NAME_FLAGS, ~0u},
	    {"keepalive", NAME_KEEPALIVE, 1u << PACKET_CONNECT},      {"password", NAME_PASSWORD, 1u << PACKET_CONNECT},
	    {"protocol_name", NAME_PROTOCOL, 1u << PACKET_CONNECT},   {"protocol_version", NAME_VERSION, ~0u},
	    {"reason_code", NAME_REASON, 1u << PACKET_CONNACK},	      {"username", NAME_USER, 1u << PACKET_CONNECT},
	    {"will_payload", NAME_WILL_PAYLOAD, 1u << PACKET_CONNECT}, {"will_topic", NAME_WILL_TOPIC, 1u << PACKET_CONNECT},
	};
	const char *packet = arg[0].text.at, *field = arg[1].text.at;
	bool is_connect = !strcasecmp(packet, "connect") || !strcmp(packet, "1");
	int64_t id;

	if (!is_connect && strcasecmp(packet, "connack") != 0 && strcmp(packet, "2") != 0)
		return rule_fail(e, "\"%.30s\" is no packet that comes first: write connect or connack", packet);
	arg[0].number = is_connect ? PACKET_CONNECT : PACKET_CONNACK;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(names[i].name, field) && (names[i].packets & 1u << arg[0].number)) {
			arg[1].number = names[i].id;
			return true;
		}
	if (field[strspn(field, "0123456789")] || !text_to_int(arg[1].text, &id) || id < 1 || id > 42 ||
	    shape_of((unsigned)id) == SHAPE_NONE || shape_of((unsigned)id) == SHAPE_PAIR)
		return rule_fail(e, "\"%.30s\" is no field of %s, nor the number of a property", field, is_connect ? "connect" : "connack");
	arg[1].number = NAME_PROPERTY + id;
	return true;
}

const struct conv convs_mqtt[] = {
    {"mqtt_field_value", "ss", SAMPLE_BIN, SAMPLE_STR, field_value, 0, check_names, false},
    {"mqtt_is_valid", "", SAMPLE_BIN, SAMPLE_BOOL, is_valid, 0, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
