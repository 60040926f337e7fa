/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <time.h>

#include "base/mem.h"
#include "base/sized.h"
#include "nl/call.h"

/* Datagrams that answer nothing we asked, before a call gives up. */
#define STRAYS_MAX 4096

/* Datagrams of one dump: 32 GiB of them are no answer. */
#define DUMP_DATAGRAMS_MAX (1 << 20)

/* -- channel ------------------------------------------------------------------------------------- */

int nl_channel_open(struct nl_channel *c, int protocol, const struct ha_nl_transport *given,
		    unsigned int timeout_ms)
{
	struct nl_channel own = {.next_seq = 1,
				 .is_given = given != NULL,
				 .timeout_ms = timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms};
	struct ha_nl_transport t;
	int r;

	if (!timeout_ms)
		own.timeout_ms = NL_TIMEOUT_MS;
	if (given)
		t = *given;
	else if ((r = ha_nl_mnl_open(protocol, NULL, &t)) < 0)
		return r;
	r = sized_in(&own.ops, sizeof(own.ops), t.ops);
	if (!r && !(own.ops.send && own.ops.recv && own.ops.fd && own.ops.port))
		r = -EINVAL;
	own.transport = t.userdata;
	own.buf =
	    r ? NULL : mem_regrow(NULL, NL_RECEIVE_BYTES, 1); /* mostly little of it is touched */
	if (!r && !own.buf)
		r = -ENOMEM;
	if (r) {
		if (!given)
			t.ops->close(t.userdata);
		return r;
	}
	*c = own;
	return 0;
}

void nl_channel_give_back(struct nl_channel *c)
{
	if (c->is_given)
		c->ops.close = NULL;
}

void nl_channel_close(struct nl_channel *c)
{
	if (c->ops.close)
		c->ops.close(c->transport);
	mem_free(c->buf);
	*c = (struct nl_channel){0};
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_readable(struct nl_channel *c, int64_t until_ms)
{
	struct pollfd p = {.fd = c->ops.fd(c->transport), .events = POLLIN};
	int64_t left = until_ms - now_ms();
	int n = poll(&p, 1, left > 0 ? (int)left : 0);

	if (n < 0 && errno != EINTR)
		return -errno;
	return n || left > 0 ? 0 : -ETIMEDOUT;
}

/* The next datagram, waiting for it if the transport is slow. */
static int take(struct nl_channel *c, bool wait, struct reader *ret)
{
	int64_t until_ms = -1;

	for (int i = 0; i < STRAYS_MAX; i++) {
		ssize_t n = c->ops.recv(c->transport, c->buf, NL_RECEIVE_BYTES);
		int r;

		if (n >= 0) {
			*ret =
			    reader_of(c->buf, n > NL_RECEIVE_BYTES ? NL_RECEIVE_BYTES : (size_t)n);
			return 0;
		}
		if (n != -EAGAIN || !wait)
			return (int)n;
		if (until_ms < 0)
			until_ms = now_ms() + c->timeout_ms;
		r = wait_readable(c, until_ms);
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

/*
 * After -ENOBUFS: throws away what is left. Until the queue is empty the kernel drops every answer (it
 * holds the socket for congested), that of the next call too.
 */
static void drain(struct nl_channel *c)
{
	for (int i = 0; i < STRAYS_MAX; i++) {
		ssize_t n = c->ops.recv(c->transport, c->buf, NL_RECEIVE_BYTES);

		if (n < 0 && n != -ENOBUFS && n != -EMSGSIZE)
			return;
	}
}

/* -- many requests -------------------------------------------------------------------------------- */

/* Consecutive messages of a batch that go out together. */
struct chunk {
	uint8_t *at;
	size_t len;
	size_t first, n;  /* index in the batch of the first message; how many */
	uint32_t seq;	  /* the first message's; the others follow */
	size_t fence;	  /* which of them is acknowledged; from `first` */
	size_t next;	  /* the kernel answers in order: the least that may answer now */
	bool transaction; /* an error of the first message refuses all */
	nl_failed_fn *failed;
	void *userdata;
};

/* Gives the message at `at` its sequence number and NLM_F_ACK or not. Its length with padding. */
static size_t stamp(uint8_t *at, uint32_t seq, bool ack)
{
	struct nlmsghdr h;

	memcpy(&h, at, sizeof(h));
	h.nlmsg_seq = seq;
	h.nlmsg_flags = (uint16_t)(ack ? h.nlmsg_flags | NLM_F_ACK : h.nlmsg_flags & ~NLM_F_ACK);
	memcpy(at, &h, sizeof(h));
	return NLMSG_ALIGN((size_t)h.nlmsg_len);
}

static void stamp_chunk(struct nl_channel *c, struct chunk *k)
{
	uint8_t *at = k->at;

	k->next = 0;
	k->seq = c->next_seq;
	c->next_seq += (uint32_t)k->n;
	for (size_t i = 0; i < k->n; i++)
		at += stamp(at, k->seq + (uint32_t)i, i == k->fence);
}

static bool is_ours(const struct nl_channel *c, const struct nl_msg *msg)
{
	return msg->port == c->ops.port(c->transport);
}

/* The text of the first failure stays with the channel. */
static void keep_text(struct nl_channel *c, const char *text)
{
	if (!c->text[0])
		memcpy(c->text, text, NL_TEXT_SIZE);
}

/* Reads the answers in one datagram. 1 when the fence is among them, else 0 or -EBADMSG. */
static int read_answers(struct nl_channel *c, struct chunk *k, struct reader r, int *n_failed,
			bool *all_refused)
{
	struct nl_msg msg;
	struct nl_error e;

	while (nl_msg_next(&r, &msg)) {
		uint32_t i = msg.seq - k->seq;

		if (msg.type != NLMSG_ERROR || i >= k->n || !is_ours(c, &msg))
			continue;
		if (i < k->next || !nl_error_read(&msg, &e))
			return -EBADMSG;
		k->next = i + 1;
		if (e.error) {
			++*n_failed;
			keep_text(c, e.text);
			if (k->failed)
				k->failed(k->userdata, k->first + i, e.error, e.text);
		}
		if (i == k->fence)
			return 1;
		if (k->transaction && i == 0)
			*all_refused = true;
	}
	return r.bad ? -EBADMSG : 0;
}

/* Sends a chunk and reads until its fence. How many requests failed, or -errno. */
static int run_chunk(struct nl_channel *c, struct chunk *k)
{
	bool all_refused = false;
	int n_failed = 0, r;

	stamp_chunk(c, k);
	r = c->ops.send(c->transport, k->at, k->len);
	if (r < 0)
		return r;
	for (size_t i = 0; i < k->n + STRAYS_MAX; i++) {
		struct reader in;

		/* A batch refused as a whole may have no other answer: take what is there already. */
		r = take(c, !all_refused, &in);
		if (r == -EAGAIN && all_refused)
			return n_failed;
		if (r == -ENOBUFS)
			drain(c);
		if (r < 0)
			return r;
		r = read_answers(c, k, in, &n_failed, &all_refused);
		if (r)
			return r < 0 ? r : n_failed;
	}
	return -EBADMSG;
}

static size_t message_bytes(const uint8_t *at)
{
	struct nlmsghdr h;

	memcpy(&h, at, sizeof(h));
	return NLMSG_ALIGN((size_t)h.nlmsg_len);
}

/* Extends the chunk at `k->at` from the batch until one of its limits. */
static void fill_chunk(struct chunk *k, const struct nl_batch *b)
{
	size_t offset = (size_t)(k->at - b->buf);

	k->len = k->n = 0;
	while (k->first + k->n < b->n && k->n < NL_CHUNK_MSGS) {
		size_t next = message_bytes(b->buf + offset + k->len);

		if (k->n && k->len + next > NL_CHUNK_BYTES)
			break;
		k->len += next;
		k->n++;
	}
	k->fence = k->n - 1;
}

int nl_call(struct nl_channel *c, struct nl_batch *b, nl_failed_fn *failed, void *userdata)
{
	struct chunk k = {.at = b->buf, .failed = failed, .userdata = userdata};
	int n_failed = 0;

	c->text[0] = 0;
	if (b->error)
		return b->error;
	while (k.first < b->n) {
		int r;

		fill_chunk(&k, b);
		r = run_chunk(c, &k);
		if (r < 0)
			return r;
		n_failed += r;
		k.at += k.len;
		k.first += k.n;
	}
	return n_failed;
}

int nl_transaction(struct nl_channel *c, struct nl_batch *b, nl_failed_fn *failed, void *userdata)
{
	struct chunk k = {.at = b->buf,
			  .len = b->len,
			  .n = b->n,
			  .fence = b->n - 2,
			  .transaction = true,
			  .failed = failed,
			  .userdata = userdata};

	c->text[0] = 0;
	if (b->error)
		return b->error;
	if (b->n < 3)
		return -EINVAL;
	return run_chunk(c, &k);
}

/* -- one question --------------------------------------------------------------------------------- */

struct query {
	const struct nl_query_ops *ops;
	void *userdata;
	uint32_t seq;
	bool dump;
	bool interrupted; /* what was told is not a whole */
	int stopped;	  /* ops->message wants no more */
};

/* Reads one datagram of the answer. 1: that was its end; 0: more will come; -errno. */
static int read_some(struct nl_channel *c, struct query *q, struct reader r)
{
	struct nl_msg msg;
	struct nl_error e;

	while (nl_msg_next(&r, &msg)) {
		if (msg.seq != q->seq || !is_ours(c, &msg))
			continue;
		if (msg.flags & NLM_F_DUMP_INTR)
			q->interrupted = true;
		switch (msg.type) {
		case NLMSG_NOOP:
			break;
		case NLMSG_OVERRUN:
			q->interrupted = true;
			break;
		case NLMSG_ERROR:
		case NLMSG_DONE:
			if (!nl_error_read(&msg, &e))
				return -EBADMSG;
			keep_text(c, e.text);
			return e.error ? e.error : 1;
		default:
			if (!q->interrupted && !q->stopped)
				q->stopped = q->ops->message(q->userdata, &msg);
		}
	}
	return r.bad ? -EBADMSG : 0;
}

/*
 * One try. A dump is read to its end even when it is of no use any more: until then the kernel
 * refuses the next one.
 */
static int run_query(struct nl_channel *c, struct nl_batch *b, struct query *q)
{
	int lost = 0, r = 0;

	q->seq = c->next_seq++;
	stamp(b->buf, q->seq, !q->dump);
	r = c->ops.send(c->transport, b->buf, b->len);
	if (r < 0)
		return r;
	for (int i = 0; !r && i < (q->dump ? DUMP_DATAGRAMS_MAX : STRAYS_MAX); i++) {
		struct reader in;

		r = take(c, true, &in);
		if (q->dump && (r == -ENOBUFS || r == -EMSGSIZE)) {
			lost = r;
			r = 0;
			continue;
		}
		if (r == -ENOBUFS)
			drain(c);
		if (r < 0)
			return lost ? lost : r;
		r = read_some(c, q, in);
	}
	if (lost == -ENOBUFS)
		q->interrupted = true;
	else if (lost)
		return lost;
	return r < 0 ? r : r ? 0 : -EBADMSG;
}

int nl_query(struct nl_channel *c, struct nl_batch *b, const struct nl_query_ops *ops,
	     void *userdata)
{
	struct nlmsghdr h;

	c->text[0] = 0;
	if (b->error)
		return b->error;
	if (b->n != 1)
		return -EINVAL;
	memcpy(&h, b->buf, sizeof(h));
	for (int i = 0; i < NL_DUMP_TRIES; i++) {
		struct query q = {.ops = ops,
				  .userdata = userdata,
				  .dump = (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP};
		int r = run_query(c, b, &q);

		if (q.stopped)
			return q.stopped;
		if (r < 0 || !q.interrupted)
			return r;
		if (ops->restart)
			ops->restart(userdata);
	}
	return -EINTR;
}

/* -- generic netlink ------------------------------------------------------------------------------ */

static int take_family(void *userdata, const struct nl_msg *msg)
{
	struct reader body = msg->body;
	struct nl_genl h;
	struct nl_attr a;

	if (!nl_genl_take(&body, &h))
		return -EBADMSG;
	while (nl_attr_next(&body, &a))
		if (a.type == CTRL_ATTR_FAMILY_ID && !nl_attr_u16(&a, userdata))
			return -EBADMSG;
	return 0;
}

int nl_genl_resolve(struct nl_channel *c, const char *name, uint16_t *ret_type)
{
	static const struct nl_query_ops ops = {.message = take_family};
	struct nl_batch b = {0};
	struct writer *w = nl_batch_begin(&b, GENL_ID_CTRL, 0);
	uint16_t type = 0;
	int r;

	nl_genl_put(w, CTRL_CMD_GETFAMILY, 1);
	nl_attr_put_str(w, CTRL_ATTR_FAMILY_NAME, name);
	nl_batch_end(&b);
	r = nl_query(c, &b, &ops, &type);
	nl_batch_fini(&b);
	if (r < 0)
		return r;
	if (!type)
		return -ENOENT;
	*ret_type = type;
	return 0;
}
