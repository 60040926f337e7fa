/* SPDX-License-Identifier: MIT */
#include "engine/peers/link.h"

#include <errno.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define OUT_FIRST 4096u
#define LEARN_SCRATCH 2048 /* bytes: a key */

/* ---- What waits to be sent ---- */

/* Room for `len` bytes more. NULL: no memory. */
static uint8_t *room(struct link *l, size_t len)
{
	size_t cap = l->out_cap ? l->out_cap : OUT_FIRST;
	uint8_t *at;

	while (cap < l->out_len + len)
		cap *= 2;
	if (cap > l->out_cap) {
		at = realloc(l->out, cap);
		if (!at)
			return NULL;
		l->out = at;
		l->out_cap = cap;
	}
	return l->out + l->out_len;
}

/* A message of a table. What there is no memory for is not said: another change, or another connection, says it. */
static void put(struct link *l, enum peers_table_type type, const struct output *data)
{
	size_t cap = output_len(data) + 16;
	uint8_t *at = data->is_full ? NULL : room(l, cap);
	struct output w = output_of(at, at ? cap : 0);

	if (!at)
		return;
	peers_put_message(&w, type, data);
	l->out_len += output_len(&w);
}

bool link_put(struct link *l, const void *at, size_t len)
{
	uint8_t *to = room(l, len);

	if (!to)
		return false;
	memcpy(to, at, len);
	l->out_len += len;
	return true;
}

void link_say(struct link *l, enum peers_class class, unsigned type)
{
	uint8_t *at = room(l, 2);
	struct output w = output_of(at, at ? 2 : 0);

	peers_put_control(&w, class, type);
	l->out_len += output_len(&w);
}

/* ---- Telling ---- */

static void describe(const struct link *l, const struct share *share, struct peers_table *ret)
{
	peers_describe(table_def(share->table), share->tells_server, ret);
	ret->id = (uint64_t)(share - l->shares->share) + 1;
	ret->name = text_of(share->name, strlen(share->name));
}

/* A server that is not chosen yet is nothing to tell. */
static bool says_nothing(const struct peers_table *as, const struct table *t, const struct table_entry *e)
{
	return as->data == 1 && !table_peek(t, e, table_at(TABLE_SERVER_ID));
}

static void tell(struct link *l, const struct share *share, const struct table_entry *e, uint64_t now_ns)
{
	uint8_t buf[PEERS_MESSAGE_MAX];
	struct output w = output_of(buf, sizeof(buf));
	struct peers_table as;
	bool timed;

	describe(l, share, &as);
	timed = l->walk.runs && as.expire_ms; /* what is old is told as that */
	if (says_nothing(&as, share->table, e))
		return;
	if (l->told != share) {
		peers_put_definition(&w, &as);
		put(l, PEERS_DEFINITION, &w);
		l->told = share;
		w = output_of(buf, sizeof(buf));
	}
	put_number(&w, ++l->number[share - l->shares->share], 4);
	if (timed)
		put_number(&w, table_left_ms(share->table, e, now_ns), 4);
	peers_put_entry(&w, &as, share->table, e, now_ns);
	put(l, timed ? PEERS_UPDATE_TIMED : PEERS_UPDATE, &w);
	l->n_told++;
}

void link_tell(struct link *l, const struct share *share, const struct table_entry *e, uint64_t now_ns)
{
	if (l->out_len <= LINK_OUT_MAX)
		tell(l, share, e, now_ns);
	else if (!l->behind_ns)
		l->behind_ns = now_ns;
}

struct walking {
	struct link *link;
	uint64_t now_ns;
};

static void walk_entry(void *userdata, struct table *t, const struct table_entry *e)
{
	const struct walking *w = userdata;
	struct link *l = w->link;

	(void)t;
	if (l->walk.all || table_changed_since(e, l->walk.since_ns))
		tell(l, &l->shares->share[l->walk.share], e, w->now_ns);
}

/* Clocks of threads lag by their turns. */
#define LAG_NS UINT64_C(1000000000)

static void begin_walk(struct link *l, bool all, uint64_t since_ns)
{
	l->walk = (struct link_walk){.runs = true, .all = all, .since_ns = since_ns > LAG_NS ? since_ns - LAG_NS : 0};
}

static void end_walk(struct link *l)
{
	bool all = l->walk.all;

	l->walk.runs = false;
	if (all)
		link_say(l, PEERS_CONTROL, l->shares->knows_all ? PEERS_RESYNC_FINISHED : PEERS_RESYNC_PARTIAL);
	else if (l->wants_all)
		begin_walk(l, true, 0);
	l->wants_all = false;
}

void link_fill(struct link *l, uint64_t now_ns)
{
	struct walking w = {l, now_ns};

	if (!l->walk.runs && l->behind_ns && l->out_len < LINK_OUT_ENOUGH) {
		begin_walk(l, false, l->behind_ns);
		l->behind_ns = 0;
	}
	while (l->walk.runs && l->out_len < LINK_OUT_ENOUGH) {
		if (l->walk.share == l->shares->n)
			end_walk(l);
		else if (!table_walk(l->shares->share[l->walk.share].table, &l->walk.at, now_ns, walk_entry, &w))
			l->walk = (struct link_walk){true, l->walk.all, l->walk.since_ns, l->walk.share + 1, {0, 0}};
	}
	if (!l->shares->knows_all && !l->has_asked) {
		l->has_asked = true;
		link_say(l, PEERS_CONTROL, PEERS_RESYNC_REQUEST);
	}
}

/* ---- Hearing ---- */

static struct known *find_known(struct link *l, uint64_t id)
{
	for (size_t i = 0; i < l->n_known; i++)
		if (l->known[i].as.id == id)
			return &l->known[i];
	return NULL;
}

/* Keys must be the same; of the data what both have is taken. */
static const struct share *share_like(const struct shares *shares, const struct peers_table *as)
{
	for (size_t i = 0; i < shares->n; i++) {
		const struct share *s = &shares->share[i];
		const struct table_def *def = table_def(s->table);

		if (strlen(s->name) != as->name.len || memcmp(s->name, as->name.at, as->name.len) != 0)
			continue;
		if (def->type == as->type && (def->key_len == as->key_len || (as->type != SAMPLE_STR && as->type != SAMPLE_BIN)))
			return s;
	}
	return NULL;
}

static int take_definition(struct link *l, struct input *r)
{
	struct peers_table as;
	struct known *k;

	l->current = NULL;
	if (!peers_get_definition(r, &as))
		return -EPROTO;
	k = find_known(l, as.id);
	if (!k && l->n_known == LINK_TABLES_MAX)
		return -EMSGSIZE;
	if (!k)
		k = &l->known[l->n_known++];
	k->share = share_like(l->shares, &as);
	k->as = as;
	k->as.name = text_of(NULL, 0); /* it lies in the message */
	l->current = k;
	return 0;
}

struct learning {
	struct table *table;
	struct table_entry *entry;
	const struct known *known;
};

/* Does the peer count that rate over the same period? Another one is something else. */
static bool is_alike(const struct learning *l, enum table_data d)
{
	for (unsigned i = 0; i < PEERS_N_DATA; i++)
		if (peers_data(i) == (int)d)
			return l->known->as.period_ms[i] == table_def(l->table)->period_ns[d] / MS;
	return false;
}

static void learn(void *userdata, struct table_place p, uint64_t value, const struct table_rate *rate)
{
	const struct learning *l = userdata;

	if (!l->entry || p.data == TABLE_CONN_CUR) /* others' open connections are not ours */
		return;
	if (!rate)
		table_learn(l->table, l->entry, p, value);
	else if (is_alike(l, p.data))
		table_learn_rate(l->table, l->entry, p, *rate);
}

static int take_update(struct link *l, uint8_t type, struct input *r, uint64_t now_ns)
{
	const bool numbered = type == PEERS_UPDATE || type == PEERS_UPDATE_TIMED;
	const bool timed = type == PEERS_UPDATE_TIMED || type == PEERS_UPDATE_NEXT_TIMED;
	char bytes[LEARN_SCRATCH];
	struct scratch scratch = {bytes, 0, sizeof(bytes)};
	struct learning at = {.known = l->current};
	struct known *k = l->current;
	uint64_t used_ns = now_ns;
	struct sample key;
	uint32_t left_ms;
	bool ok;

	if (!k)
		return -EPROTO;
	k->last = numbered ? take_number(r, 4) : k->last + 1;
	left_ms = timed ? take_number(r, 4) : 0;
	if (!peers_get_key(r, &k->as, &key))
		return -EPROTO;
	k->ack_due = true;
	if (!k->share)
		return 0;
	at.table = k->share->table;
	if (timed && left_ms * MS < table_def(at.table)->expire_ns && now_ns > table_def(at.table)->expire_ns)
		used_ns = now_ns - table_def(at.table)->expire_ns + left_ms * MS;
	at.entry = table_hold_learned(at.table, &key, used_ns, &scratch);
	ok = peers_get_data(r, &k->as, now_ns, learn, &at);
	if (at.entry)
		table_release(at.table, at.entry);
	l->n_learned += at.entry != NULL;
	return ok ? 0 : -EPROTO;
}

static int take_table(struct link *l, uint8_t type, struct input *r, uint64_t now_ns)
{
	switch (type) {
	case PEERS_DEFINITION:
		return take_definition(l, r);
	case PEERS_SWITCH:
		l->current = find_known(l, peers_get_int(r));
		return l->current ? 0 : -EPROTO;
	case PEERS_UPDATE:
	case PEERS_UPDATE_NEXT:
	case PEERS_UPDATE_TIMED:
	case PEERS_UPDATE_NEXT_TIMED:
		return take_update(l, type, r, now_ns);
	default: /* PEERS_ACK: what is lost with a connection is told anew over the next */
		return 0;
	}
}

static void take_control(struct link *l, uint8_t type)
{
	switch (type) {
	case PEERS_RESYNC_REQUEST:
		if (l->walk.runs)
			l->wants_all = true;
		else
			begin_walk(l, true, 0);
		break;
	case PEERS_RESYNC_FINISHED:
		l->shares->knows_all = true;
		link_say(l, PEERS_CONTROL, PEERS_RESYNC_CONFIRM);
		break;
	case PEERS_RESYNC_PARTIAL:
		link_say(l, PEERS_CONTROL, PEERS_RESYNC_CONFIRM);
		break;
	default:
		break;
	}
}

/* A peer that is answered knows from where on it must tell again. */
static void put_acks(struct link *l)
{
	for (size_t i = 0; i < l->n_known; i++) {
		struct known *k = &l->known[i];
		uint8_t buf[16];
		struct output w = output_of(buf, sizeof(buf));

		if (!k->ack_due)
			continue;
		k->ack_due = false;
		peers_put_int(&w, k->as.id);
		put_number(&w, k->last, 4);
		put(l, PEERS_ACK, &w);
	}
}

int link_take(struct link *l, uint64_t now_ns)
{
	struct peers_message m;
	size_t at = 0;
	ssize_t n;
	int e = 0;

	while (!e && (n = peers_next(l->in + at, l->in_len - at, &m)) != 0) {
		if (n < 0) {
			e = (int)n;
			break;
		}
		at += (size_t)n;
		if (m.class == PEERS_CONTROL)
			take_control(l, m.type);
		else if (m.class == PEERS_TABLE)
			e = take_table(l, m.type, &m.data, now_ns);
		else
			e = m.class == PEERS_ERROR ? -ECONNABORTED : -EPROTO;
		if (!e && l->out_len > LINK_OUT_LIMIT)
			e = -ENOBUFS;
	}
	l->in_len -= at;
	memmove(l->in, l->in + at, l->in_len);
	put_acks(l);
	if (e && e != -ECONNABORTED)
		link_say(l, PEERS_ERROR, e == -EMSGSIZE ? PEERS_SIZE_ERROR : PEERS_PROTOCOL_ERROR);
	return e;
}

/* ---- A connection ---- */

int link_begin(struct link *l, struct shares *shares, uint64_t since_ns)
{
	l->shares = shares;
	l->known = calloc(LINK_TABLES_MAX, sizeof(*l->known));
	l->number = calloc(shares->n + 1, sizeof(*l->number));
	if (!l->known || !l->number)
		return -ENOMEM;
	begin_walk(l, since_ns == LINK_ALL, since_ns == LINK_ALL ? 0 : since_ns);
	return 0;
}

void link_end(struct link *l)
{
	free(l->known);
	free(l->number);
	free(l->out);
	free(l);
}
