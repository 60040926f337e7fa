/* SPDX-License-Identifier: MIT */
#include "engine/peers/wire.h"

#include <errno.h>

#define MS UINT64_C(1000000)
#define INT_MAX_BYTES 10

/* ---- Numbers ---- */

/* Below 240 a byte; else its four lowest bits are the number's, then seven a byte, each less what those before can say. */
void peers_put_int(struct output *w, uint64_t v)
{
	if (v < 240) {
		put_number(w, (uint8_t)v, 1);
		return;
	}
	put_number(w, (uint8_t)(v | 240), 1);
	for (v = (v - 240) >> 4; v >= 128; v = (v - 128) >> 7)
		put_number(w, (uint8_t)(v | 128), 1);
	put_number(w, (uint8_t)v, 1);
}

uint64_t peers_get_int(struct input *r)
{
	uint64_t v = take_number(r, 1);
	uint8_t byte = 128;

	if (v < 240)
		return v;
	for (unsigned i = 1, shift = 4; byte >= 128; i++, shift += 7) {
		byte = (uint8_t)take_number(r, 1);
		if (i == INT_MAX_BYTES) {
			r->is_short = true;
			return 0;
		}
		v += (uint64_t)byte << shift;
	}
	return v;
}

/* ---- Messages ---- */

ssize_t peers_next(const void *at, size_t len, struct peers_message *ret)
{
	struct input r = input_of(text_of(at, len));
	uint64_t n;

	ret->class = (uint8_t)take_number(&r, 1);
	ret->type = (uint8_t)take_number(&r, 1);
	if (ret->type < 128) {
		ret->data = (struct input){0};
		return r.is_short ? 0 : 2;
	}
	n = peers_get_int(&r);
	if (r.is_short)
		return len < 2 + INT_MAX_BYTES ? 0 : -EMSGSIZE;
	if (n > PEERS_MESSAGE_MAX)
		return -EMSGSIZE;
	ret->data = take_part(&r, n);
	return r.is_short ? 0 : (ssize_t)(len - input_left(&r));
}

void peers_put_control(struct output *w, enum peers_class class, unsigned type)
{
	put_number(w, class, 1);
	put_number(w, type, 1);
}

void peers_put_message(struct output *w, enum peers_table_type type, const struct output *data)
{
	size_t len = output_len(data);

	put_number(w, PEERS_TABLE, 1);
	put_number(w, type, 1);
	peers_put_int(w, len);
	put_bytes(w, data->start, len);
}

/* ---- Tables ---- */

#define SERVER_KEY 19 /* the name of the server, beside its number */
#define NOTHING (-1)

static const int data_of[PEERS_N_DATA] = {
    TABLE_SERVER_ID,	  TABLE_GPT0,	       TABLE_GPC0,	    TABLE_GPC0_RATE,	TABLE_CONN_CNT,
    TABLE_CONN_RATE,	  TABLE_CONN_CUR,      TABLE_SESS_CNT,	    TABLE_SESS_RATE,	TABLE_HTTP_REQ_CNT,
    TABLE_HTTP_REQ_RATE,  TABLE_HTTP_ERR_CNT,  TABLE_HTTP_ERR_RATE, TABLE_BYTES_IN_CNT, TABLE_BYTES_IN_RATE,
    TABLE_BYTES_OUT_CNT,  TABLE_BYTES_OUT_RATE, TABLE_GPC1,	    TABLE_GPC1_RATE,	NOTHING,
    TABLE_HTTP_FAIL_CNT,  TABLE_HTTP_FAIL_RATE, TABLE_GPT,	    TABLE_GPC,		TABLE_GPC_RATE,
};

int peers_data(unsigned number)
{
	return number < PEERS_N_DATA ? data_of[number] : NOTHING;
}

static bool is_rate(unsigned number)
{
	return data_of[number] >= 0 && table_data_is_rate((enum table_data)data_of[number]);
}

static bool is_array(unsigned number)
{
	return data_of[number] >= 0 && table_data_is_array((enum table_data)data_of[number]);
}

/* Types of keys. */
static const struct {
	uint8_t number;
	enum sample_type type;
	unsigned len;
} types[] = {{2, SAMPLE_INT, 4}, {4, SAMPLE_IPV4, 4}, {5, SAMPLE_IPV6, 16}, {6, SAMPLE_STR, 0}, {7, SAMPLE_BIN, 0}};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

void peers_describe(const struct table_def *def, bool tells_server, struct peers_table *ret)
{
	*ret = (struct peers_table){.type = def->type, .key_len = def->key_len, .expire_ms = (uint32_t)(def->expire_ns / MS)};
	for (unsigned i = 0; i < PEERS_N_DATA; i++) {
		const int d = data_of[i];

		/* connections that are open are open here, and nowhere else */
		if (d < 0 || d == TABLE_CONN_CUR || !(def->stored >> d & 1) || (d == TABLE_SERVER_ID && !tells_server))
			continue;
		ret->data |= UINT32_C(1) << i;
		ret->period_ms[i] = (uint32_t)(def->period_ns[d] / MS);
		ret->n_elements[i] = def->n_elements[d];
	}
}

void peers_put_definition(struct output *w, const struct peers_table *t)
{
	peers_put_int(w, t->id);
	peers_put_int(w, t->name.len);
	put_bytes(w, t->name.at, t->name.len);
	for (size_t i = 0; i < N_TYPES; i++)
		if (types[i].type == t->type) {
			peers_put_int(w, types[i].number);
			/* of a text with its end */
			peers_put_int(w, types[i].len ? types[i].len : t->key_len + (t->type == SAMPLE_STR));
		}
	peers_put_int(w, t->data);
	peers_put_int(w, t->expire_ms);
	for (unsigned i = 0; i < PEERS_N_DATA; i++) {
		if (!(t->data >> i & 1) || (!is_rate(i) && !is_array(i)))
			continue;
		peers_put_int(w, i);
		if (is_array(i))
			peers_put_int(w, t->n_elements[i]);
		if (is_rate(i))
			peers_put_int(w, t->period_ms[i]);
	}
}

bool peers_get_definition(struct input *r, struct peers_table *ret)
{
	uint64_t type, key_len, data, i;

	*ret = (struct peers_table){.id = peers_get_int(r), .type = SAMPLE_BOOL};
	ret->name.len = peers_get_int(r);
	ret->name.at = (const char *)take_bytes(r, ret->name.len);
	type = peers_get_int(r);
	key_len = peers_get_int(r);
	data = peers_get_int(r);
	ret->expire_ms = (uint32_t)peers_get_int(r);
	for (i = 0; i < N_TYPES; i++)
		if (types[i].number == type)
			ret->type = types[i].type;
	if (r->is_short || data >> PEERS_N_DATA || ret->type == SAMPLE_BOOL || key_len > TABLE_KEY_MAX + 1)
		return false;
	ret->key_len = (unsigned)key_len - (ret->type == SAMPLE_STR && key_len);
	ret->data = (uint32_t)data;
	while (input_left(r)) {
		i = peers_get_int(r);
		if (i >= PEERS_N_DATA || (!is_rate((unsigned)i) && !is_array((unsigned)i)))
			return false;
		if (is_array((unsigned)i))
			ret->n_elements[i] = (uint32_t)peers_get_int(r);
		if (is_rate((unsigned)i))
			ret->period_ms[i] = (uint32_t)peers_get_int(r);
		if (r->is_short || ret->n_elements[i] > TABLE_ARRAY_MAX)
			return false;
	}
	return true;
}

/* ---- Entries ---- */

static void put_key(struct output *w, const struct peers_table *t, struct text key)
{
	uint32_t number;

	if (t->type == SAMPLE_INT) { /* stored as the host has it */
		memcpy(&number, key.at, sizeof(number));
		put_number(w, number, 4);
		return;
	}
	if (t->type == SAMPLE_STR)
		peers_put_int(w, key.len);
	put_bytes(w, key.at, key.len);
}

/* How long its period runs, and the events of both. */
static void put_rate(struct output *w, struct table_rate rate, uint64_t now_ns)
{
	uint64_t now_ms = now_ns / MS;

	peers_put_int(w, (uint32_t)(now_ms > rate.since_ms ? now_ms - rate.since_ms : 0));
	peers_put_int(w, rate.now);
	peers_put_int(w, rate.before);
}

void peers_put_entry(struct output *w, const struct peers_table *t, const struct table *table, const struct table_entry *e,
		     uint64_t now_ns)
{
	put_key(w, t, table_key_bytes(table, e));
	for (unsigned i = 0; i < PEERS_N_DATA; i++) {
		struct table_place p = {(enum table_data)data_of[i], 0};

		if (!(t->data >> i & 1))
			continue;
		for (; p.index < (is_array(i) ? t->n_elements[i] : 1); p.index++)
			if (is_rate(i))
				put_rate(w, table_peek_rate(table, e, p), now_ns);
			else
				peers_put_int(w, table_peek(table, e, p));
	}
}

bool peers_get_key(struct input *r, const struct peers_table *t, struct sample *ret)
{
	const uint8_t *at;
	size_t len = t->key_len;

	*ret = (struct sample){.type = t->type};
	switch (t->type) {
	case SAMPLE_INT:
		ret->number = take_number(r, 4);
		return !r->is_short;
	case SAMPLE_IPV4:
	case SAMPLE_IPV6:
		len = t->type == SAMPLE_IPV4 ? 4 : 16;
		at = take_bytes(r, len);
		if (at)
			memcpy(ret->ip, at, len);
		return at;
	default:
		if (t->type == SAMPLE_STR)
			len = peers_get_int(r);
		at = take_bytes(r, len);
		ret->text = text_of((const char *)at, len);
		return at && len <= TABLE_KEY_MAX;
	}
}

static struct table_rate get_rate(struct input *r, uint64_t now_ns)
{
	uint64_t age_ms = peers_get_int(r), now_ms = now_ns / MS;
	struct table_rate rate = {.since_ms = age_ms < now_ms ? now_ms - age_ms : 0};

	rate.now = (uint32_t)peers_get_int(r);
	rate.before = (uint32_t)peers_get_int(r);
	return rate;
}

bool peers_get_data(struct input *r, const struct peers_table *t, uint64_t now_ns, peers_told_fn *fn, void *userdata)
{
	for (unsigned i = 0; i < PEERS_N_DATA && !r->is_short; i++) {
		struct table_place p = {(enum table_data)data_of[i], 0};

		if (!(t->data >> i & 1))
			continue;
		if (i == SERVER_KEY) {
			take_bytes(r, peers_get_int(r));
			continue;
		}
		for (; p.index < (is_array(i) ? t->n_elements[i] : 1); p.index++) {
			struct table_rate rate = {0};
			uint64_t value = 0;

			if (is_rate(i))
				rate = get_rate(r, now_ns);
			else
				value = peers_get_int(r);
			if (r->is_short)
				return false;
			fn(userdata, p, value, is_rate(i) ? &rate : NULL);
		}
	}
	return !r->is_short;
}
