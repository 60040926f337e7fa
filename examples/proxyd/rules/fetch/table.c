/* SPDX-License-Identifier: MIT */
/* What stick tables know: of the entry that is tracked (sc_…, sc0_…), of the client's address (src_…), of any key (converters table_…). */
#include "rules/map.h"
#include "rules/track.h"

#define INCREASE 0x100 /* counts, then reads */
#define CLEAR 0x200    /* reads, then clears */
#define KBYTES 0x400
#define ELEMENT 0x800 /* the first argument is the place in an array */
#define DATA 0xff

/* `slot`s of fetches are in bits above those. */
#define SLOT(n) (((n) + 1) << 16)
#define SLOT_ARG 0 /* it is the first argument */

static struct table_place place_of(int what, const struct expr_arg *arg)
{
	return (struct table_place){(enum table_data)(what & DATA),
				    what & ELEMENT ? (unsigned)arg[0].number : 0};
}

static bool give(struct table *t, struct table_entry *e, int what, struct table_place p, struct run *r,
		 struct sample *ret)
{
	uint64_t value;

	if (what & INCREASE)
		table_count(t, e, p, 1, r->now_ns);
	if (!table_read(t, e, p, r->now_ns, &value)) {
		*ret = sample_int(0);
		return what & (INCREASE | CLEAR);
	}
	if (what & CLEAR)
		table_set(t, e, p, 0, r->now_ns);
	*ret = sample_int((int64_t)(what & KBYTES ? value / 1024 : value));
	return true;
}

/* Of a key that may not be there: 0, whatever the table stores. */
static bool give_of_key(struct table *t, struct sample *key, bool make, int what, struct table_place p,
			struct run *r, struct sample *ret)
{
	struct table_entry *e;
	bool ok = true;

	if (!sample_cast(key, table_def(t)->type, &r->scratch))
		return false;
	*ret = sample_int(0);
	e = table_hold(t, key, make && what & INCREASE, r->now_ns, &r->scratch);
	if (e) {
		ok = give(t, e, what, p, r, ret);
		table_release(t, e);
	}
	return ok;
}

/* sc_X(slot[,table]), sc0_X([table]) */
static bool tracked(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	unsigned slot = (unsigned)f->data >> 16, first = f->data & ELEMENT ? 1 : 0;
	unsigned at = first + (slot ? 0 : 1);
	struct table_place p = place_of(f->data, arg);
	const struct table_ref *other = n_args > at ? arg[at].object : NULL;
	const struct track *t;
	struct sample key;

	slot = slot ? slot - 1 : (unsigned)arg[first].number;
	t = r->track && slot < TRACK_MAX ? &r->track[slot] : NULL;
	if (!t || !t->entry)
		return false;
	if (!other || other->table == t->table)
		return give(t->table, t->entry, f->data, p, r, ret);
	if (!other->table)
		return false;
	key = table_key(t->table, t->entry);
	return give_of_key(other->table, &key, false, f->data, p, r, ret);
}

static bool is_tracked(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	unsigned slot = f->data ? (unsigned)f->data - 1 : (unsigned)arg[0].number;

	*ret = sample_bool(r->track && slot < TRACK_MAX && r->track[slot].entry);
	return true;
}

/* Whether a key is there, or how many hold it. False: it is none of this table. */
static bool find(struct table *t, struct sample *key, bool counts, struct run *r, struct sample *ret)
{
	struct table_entry *e;

	if (!sample_cast(key, table_def(t)->type, &r->scratch))
		return false;
	e = table_hold(t, key, false, r->now_ns, &r->scratch);
	*ret = !counts ? sample_bool(e) : sample_int(e ? table_holders(t, e) - 1 : 0);
	if (e)
		table_release(t, e);
	return true;
}

static bool trackers(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	unsigned slot = f->data ? (unsigned)f->data - 1 : (unsigned)arg[0].number;
	const struct track *t = r->track && slot < TRACK_MAX ? &r->track[slot] : NULL;

	const unsigned at = f->data ? 0 : 1;
	const struct table_ref *other = n_args > at ? arg[at].object : NULL;
	struct sample key;

	if (!t || !t->entry)
		return false;
	if (!other || other->table == t->table) {
		*ret = sample_int(table_holders(t->table, t->entry));
		return true;
	}
	key = table_key(t->table, t->entry);
	return other->table && find(other->table, &key, true, r, ret);
}

/* src_X([table]) */
static bool of_source(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct table_ref *ref = arg[f->data & ELEMENT ? 1 : 0].object;
	struct sample key = r->source.address;

	if (!ref->table || (key.type != SAMPLE_IPV4 && key.type != SAMPLE_IPV6))
		return false;
	return give_of_key(ref->table, &key, true, f->data, place_of(f->data, arg), r, ret);
}

static bool fill(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	const struct table_ref *ref = arg[0].object;

	if (!ref->table)
		return false;
	*ret = sample_int(f->data ? table_def(ref->table)->size - table_used(ref->table, r->now_ns)
				  : table_used(ref->table, r->now_ns));
	return true;
}

static bool find_ref(struct expr_arg *arg, const char *name, const struct rule_memory *m,
		     struct rule_error *e)
{
	if (!m->shared)
		return rule_fail(e, "there are no tables here");
	arg->object = table_ref(m, name);
	return arg->object || rule_fail(e, "%s", "");
}

/* (slot[,table]) */
static bool check_slot(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
		       struct rule_error *e)
{
	if (arg[0].number < 0 || arg[0].number >= TRACK_MAX)
		return rule_fail(e, "the slot is a number from 0 to %d", TRACK_MAX - 1);
	return n_args < 2 || find_ref(&arg[1], arg[1].text.at, m, e);
}

/* ([table]) */
static bool check_other(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			struct rule_error *e)
{
	return !n_args || find_ref(&arg[0], arg[0].text.at, m, e);
}

/* ([table]): its own section's without one */
static bool check_table(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			struct rule_error *e)
{
	return find_ref(&arg[0], n_args ? arg[0].text.at : m->proxy, m, e);
}

static bool check_element(const struct expr_arg *arg, struct rule_error *e)
{
	return (arg->number >= 0 && arg->number < TABLE_ARRAY_MAX) ||
	       rule_fail(e, "the place in an array is a number from 0 to %d", TABLE_ARRAY_MAX - 1);
}

/* (place,slot[,table]) */
static bool check_element_slot(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			       struct rule_error *e)
{
	return check_element(arg, e) && check_slot(arg + 1, n_args - 1, m, e);
}

/* (place[,table]), of a slot */
static bool check_element_other(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m, struct rule_error *e)
{
	return check_element(arg, e) && check_other(arg + 1, n_args - 1, m, e);
}

/* (place[,table]) */
static bool check_element_table(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
				struct rule_error *e)
{
	return check_element(arg, e) && check_table(arg + 1, n_args - 1, m, e);
}

/* ---- Converters ---- */

static bool of_key(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	const struct table_ref *ref = arg[c->data & ELEMENT ? 1 : 0].object;
	struct sample key = *s;

	return ref->table && give_of_key(ref->table, &key, true, c->data, place_of(c->data, arg), r, s);
}

static bool in_table(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct sample *s)
{
	const struct table_ref *ref = arg[0].object;
	struct sample key = *s;

	return ref->table && find(ref->table, &key, c->data, r, s);
}

/* table_expire, table_idle (table[,milliseconds]): the time an entry has left, or was not used */
static bool time_of_key(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	const struct table_ref *ref = arg[0].object;
	struct table_entry *e;
	uint64_t idle, whole;

	if (!ref->table)
		return false;
	e = table_hold(ref->table, s, false, r->now_ns, &r->scratch);
	if (!e) {
		*s = sample_int(n_args > 1 ? arg[1].number : 0);
		return n_args > 1;
	}
	idle = table_idle_ns(ref->table, e, r->now_ns);
	table_release(ref->table, e);
	whole = table_def(ref->table)->expire_ns;
	*s = sample_int((int64_t)((c->data ? idle : whole > idle ? whole - idle : 0) / 1000000));
	return true;
}

/* clang-format off */
/* What can be asked of an entry, whichever way it is found: sc0_…, sc1_…, sc2_…, sc_…, src_…. */
#define COUNTERS(ROW)                                \
    ROW("bytes_in_rate", TABLE_BYTES_IN_RATE),       \
    ROW("bytes_out_rate", TABLE_BYTES_OUT_RATE),     \
    ROW("clr_gpc0", TABLE_GPC0 | CLEAR),             \
    ROW("clr_gpc1", TABLE_GPC1 | CLEAR),             \
    ROW("conn_cnt", TABLE_CONN_CNT),                 \
    ROW("conn_cur", TABLE_CONN_CUR),                 \
    ROW("conn_rate", TABLE_CONN_RATE),               \
    ROW("get_gpc0", TABLE_GPC0),                     \
    ROW("get_gpc1", TABLE_GPC1),                     \
    ROW("get_gpt0", TABLE_GPT0),                     \
    ROW("gpc0_rate", TABLE_GPC0_RATE),               \
    ROW("gpc1_rate", TABLE_GPC1_RATE),               \
    ROW("http_err_cnt", TABLE_HTTP_ERR_CNT),         \
    ROW("http_err_rate", TABLE_HTTP_ERR_RATE),       \
    ROW("http_fail_cnt", TABLE_HTTP_FAIL_CNT),       \
    ROW("http_fail_rate", TABLE_HTTP_FAIL_RATE),     \
    ROW("http_req_cnt", TABLE_HTTP_REQ_CNT),         \
    ROW("http_req_rate", TABLE_HTTP_REQ_RATE),       \
    ROW("inc_gpc0", TABLE_GPC0 | INCREASE),          \
    ROW("inc_gpc1", TABLE_GPC1 | INCREASE),          \
    ROW("kbytes_in", TABLE_BYTES_IN_CNT | KBYTES),   \
    ROW("kbytes_out", TABLE_BYTES_OUT_CNT | KBYTES), \
    ROW("sess_cnt", TABLE_SESS_CNT),                 \
    ROW("sess_rate", TABLE_SESS_RATE)

/* The same of arrays, gpc(N) and gpt(N), where the place is the first argument. */
#define ARRAYS(ROW)                      \
    ROW("clr_gpc", TABLE_GPC | CLEAR),   \
    ROW("get_gpc", TABLE_GPC),           \
    ROW("get_gpt", TABLE_GPT),           \
    ROW("gpc_rate", TABLE_GPC_RATE),     \
    ROW("inc_gpc", TABLE_GPC | INCREASE)

#define OF_SLOT_0(name, what) {"sc0_" name, "S", SAMPLE_INT, 0, tracked, (what) | SLOT(0), check_other}
#define OF_SLOT_1(name, what) {"sc1_" name, "S", SAMPLE_INT, 0, tracked, (what) | SLOT(1), check_other}
#define OF_SLOT_2(name, what) {"sc2_" name, "S", SAMPLE_INT, 0, tracked, (what) | SLOT(2), check_other}
#define OF_SLOT(name, what) {"sc_" name, "iS", SAMPLE_INT, 0, tracked, (what) | SLOT_ARG, check_slot}
#define OF_SLOT_ARRAY(name, what) {"sc_" name, "iiS", SAMPLE_INT, 0, tracked, (what) | ELEMENT | SLOT_ARG, check_element_slot}
#define OF_SOURCE(name, what) {"src_" name, "S", SAMPLE_INT, 0, of_source, what, check_table}
#define OF_SOURCE_ARRAY(name, what) {"src_" name, "iS", SAMPLE_INT, 0, of_source, (what) | ELEMENT, check_element_table}

const struct fetch fetches_table[] = {
    COUNTERS(OF_SLOT_0),
    COUNTERS(OF_SLOT_1),
    COUNTERS(OF_SLOT_2),
    COUNTERS(OF_SLOT),
    ARRAYS(OF_SLOT_ARRAY),
    COUNTERS(OF_SOURCE),
    ARRAYS(OF_SOURCE_ARRAY),
    {"sc0_tracked", "S", SAMPLE_BOOL, 0, is_tracked, 1, check_other},
    {"sc0_trackers", "S", SAMPLE_INT, 0, trackers, 1, check_other},
    {"sc1_clr_gpc", "iS", SAMPLE_INT, 0, tracked, TABLE_GPC | CLEAR | ELEMENT | SLOT(1), check_element_other}, /* HAProxy has it of this slot alone */
    {"sc1_tracked", "S", SAMPLE_BOOL, 0, is_tracked, 2, check_other},
    {"sc1_trackers", "S", SAMPLE_INT, 0, trackers, 2, check_other},
    {"sc2_tracked", "S", SAMPLE_BOOL, 0, is_tracked, 3, check_other},
    {"sc2_trackers", "S", SAMPLE_INT, 0, trackers, 3, check_other},
    {"sc_tracked", "iS", SAMPLE_BOOL, 0, is_tracked, 0, check_slot},
    {"sc_trackers", "iS", SAMPLE_INT, 0, trackers, 0, check_slot},
    {"src_updt_conn_cnt", "S", SAMPLE_INT, 0, of_source, TABLE_CONN_CNT | INCREASE, check_table},
    {"table_avl", "S", SAMPLE_INT, 0, fill, 1, check_table},
    {"table_cnt", "S", SAMPLE_INT, 0, fill, 0, check_table},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};

const struct conv convs_table[] = {
    {"in_table", "S", SAMPLE_STR, SAMPLE_BOOL, in_table, 0, check_table, false},
    {"table_bytes_in_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_BYTES_IN_RATE, check_table, false},
    {"table_bytes_out_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_BYTES_OUT_RATE, check_table, false},
    {"table_conn_cnt", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_CONN_CNT, check_table, false},
    {"table_conn_cur", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_CONN_CUR, check_table, false},
    {"table_conn_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_CONN_RATE, check_table, false},
    {"table_gpc", "iS", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC | ELEMENT, check_element_table, false},
    {"table_gpc0", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC0, check_table, false},
    {"table_gpc_rate", "iS", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC_RATE | ELEMENT, check_element_table, false},
    {"table_gpc0_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC0_RATE, check_table, false},
    {"table_gpc1", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC1, check_table, false},
    {"table_gpc1_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPC1_RATE, check_table, false},
    {"table_gpt", "iS", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPT | ELEMENT, check_element_table, false},
    {"table_gpt0", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_GPT0, check_table, false},
    {"table_http_err_cnt", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_ERR_CNT, check_table, false},
    {"table_http_err_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_ERR_RATE, check_table, false},
    {"table_http_fail_cnt", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_FAIL_CNT, check_table, false},
    {"table_http_fail_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_FAIL_RATE, check_table, false},
    {"table_http_req_cnt", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_REQ_CNT, check_table, false},
    {"table_http_req_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_HTTP_REQ_RATE, check_table, false},
    {"table_kbytes_in", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_BYTES_IN_CNT | KBYTES, check_table, false},
    {"table_kbytes_out", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_BYTES_OUT_CNT | KBYTES, check_table, false},
    {"table_server_id", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_SERVER_ID, check_table, false},
    {"table_sess_cnt", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_SESS_CNT, check_table, false},
    {"table_sess_rate", "S", SAMPLE_STR, SAMPLE_INT, of_key, TABLE_SESS_RATE, check_table, false},
    {"table_expire", "sI", SAMPLE_STR, SAMPLE_INT, time_of_key, 0, check_table, false},
    {"table_idle", "sI", SAMPLE_STR, SAMPLE_INT, time_of_key, 1, check_table, false},
    {"table_trackers", "S", SAMPLE_STR, SAMPLE_INT, in_table, 1, check_table, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
/* clang-format on */
