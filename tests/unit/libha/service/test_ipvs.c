/* SPDX-License-Identifier: MIT */
/*
 * What a real IPVS (tests/kernel/ipvs-apply.sh) does not do on demand: answers that fail, lie or get lost.
 * The other end is a transport that answers as each test tells it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <libha/ipvs.h>

#include "tests/support/fail_memory.h"
#include "ipvs/codec.h"
#include "ipvs/config_codec.h"
#include "words.h"

#define FAMILY 30
#define PORT 77

struct far_end {
	uint8_t queue[65536]; /* answers, each with its length before it */
	size_t head, tail;
	int pipe[2];		      /* something to poll */
	int answer[IPVS_CMD_MAX + 1]; /* by command: the error of each */
	bool absent, lost, cut, wrong_type;
	size_t lost_in; /* of the nth datagram from now the answers are lost; 0: of none */
	size_t n_commands, n_closed;
	uint8_t commands[64];
};

static void enqueue(struct far_end *f, const struct writer *msg, uint32_t seq)
{
	size_t len = writer_len(msg);
	const uint32_t port = PORT;

	memcpy(msg->start + 8, &seq, 4);
	memcpy(msg->start + 12, &port, 4);
	memcpy(f->queue + f->tail, &len, sizeof(len));
	memcpy(f->queue + f->tail + sizeof(len), msg->start, len);
	f->tail += sizeof(len) + len;
	assert_true(f->tail < sizeof(f->queue) - 1024);
}

static void answer_error(struct far_end *f, const struct nl_msg *msg, int error)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, NLMSG_ERROR, NLM_F_CAPPED);

	write_host32(&w, (uint32_t)error);
	write_host32(&w, 16);
	write_host16(&w, msg->type);
	write_host16(&w, msg->flags);
	write_host32(&w, msg->seq);
	write_host32(&w, PORT);
	nl_msg_end(&w, m);
	enqueue(f, &w, msg->seq);
}

static void answer_body(struct far_end *f, const struct nl_msg *msg, uint8_t cmd)
{
	struct ha_service_opts s = service_of("tcp 192.0.2.1 80 rr");
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	bool dump = (msg->flags & NLM_F_DUMP) == NLM_F_DUMP;
	size_t m = nl_msg_begin(&w, f->wrong_type ? FAMILY + 1 : msg->type, dump ? NLM_F_MULTI : 0);

	if (msg->type == GENL_ID_CTRL) {
		nl_genl_put(&w, CTRL_CMD_NEWFAMILY, 1);
		nl_attr_put_u16(&w, CTRL_ATTR_FAMILY_ID, FAMILY);
		nl_attr_put_str(&w, CTRL_ATTR_FAMILY_NAME, "IPVS");
	} else if (cmd == IPVS_CMD_GET_INFO) {
		nl_genl_put(&w, IPVS_CMD_SET_INFO, 1);
		nl_attr_put_u32(&w, IPVS_INFO_ATTR_VERSION, 0x010201);
		nl_attr_put_u32(&w, IPVS_INFO_ATTR_CONN_TAB_SIZE, 4096);
	} else if (cmd == IPVS_CMD_GET_CONFIG) {
		const struct ha_ipvs_timeouts t = {.tcp_s = 900, .tcp_fin_s = 120, .udp_s = 300};

		ipvs_codec_put_timeouts(&w, &t);
	} else if (cmd == IPVS_CMD_GET_DAEMON) {
		const struct ha_ipvs_sync sync = {
		    .role = HA_IPVS_SYNC_BACKUP, .interface = "eth0", .sync_id = 9};

		ipvs_codec_put_sync(&w, &sync);
	} else if (cmd == IPVS_CMD_GET_SERVICE) {
		ipvs_codec_put_service(&w, IPVS_CMD_NEW_SERVICE, &s);
	} else {
		struct ha_dest_opts d = dest_of("10.0.0.1 80 NAT 1");

		ipvs_codec_put_dest(&w, IPVS_CMD_NEW_DEST, &s, &d);
	}
	if (f->cut)
		w.at -= 8;
	nl_msg_end(&w, m);
	enqueue(f, &w, msg->seq);
	if (dump) {
		w = writer_of(buf, sizeof(buf));
		m = nl_msg_begin(&w, NLMSG_DONE, NLM_F_MULTI);
		write_host32(&w, 0);
		nl_msg_end(&w, m);
		enqueue(f, &w, msg->seq);
	}
}

static void answer(struct far_end *f, struct nl_msg msg)
{
	struct nl_genl header;
	struct reader body = msg.body;
	int error = 0;

	assert_true(nl_genl_take(&body, &header));
	if (msg.type == GENL_ID_CTRL)
		error = f->absent ? -ENOENT : 0;
	else
		error = f->answer[header.cmd];
	if (msg.type == FAMILY && f->n_commands < sizeof(f->commands))
		f->commands[f->n_commands++] = header.cmd;
	if (!error && (msg.type == GENL_ID_CTRL || header.cmd == IPVS_CMD_GET_INFO ||
		       header.cmd == IPVS_CMD_GET_SERVICE || header.cmd == IPVS_CMD_GET_DEST ||
		       header.cmd == IPVS_CMD_GET_CONFIG || header.cmd == IPVS_CMD_GET_DAEMON))
		answer_body(f, &msg, header.cmd);
	if (error || (msg.flags & NLM_F_ACK && (msg.flags & NLM_F_DUMP) != NLM_F_DUMP))
		answer_error(f, &msg, error);
}

static int far_send(void *userdata, const void *buf, size_t len)
{
	struct reader r = reader_of(buf, len);
	struct far_end *f = userdata;
	struct nl_msg msg;

	while (nl_msg_next(&r, &msg))
		answer(f, msg);
	assert_false(r.bad);
	if (f->lost_in && !--f->lost_in)
		f->lost = true;
	return 0;
}

static ssize_t far_recv(void *userdata, void *buf, size_t cap)
{
	struct far_end *f = userdata;
	size_t len;

	if (f->lost) {
		f->lost = false;
		return -ENOBUFS;
	}
	if (f->head == f->tail) {
		f->head = f->tail = 0;
		return -EAGAIN;
	}
	memcpy(&len, f->queue + f->head, sizeof(len));
	assert_true(len <= cap);
	memcpy(buf, f->queue + f->head + sizeof(len), len);
	f->head += sizeof(len) + len;
	return (ssize_t)len;
}

static int far_fd(void *userdata)
{
	return ((struct far_end *)userdata)->pipe[0];
}

static uint32_t far_port(void *userdata)
{
	return PORT;
}

static void far_close(void *userdata)
{
	((struct far_end *)userdata)->n_closed++;
}

static const struct ha_nl_transport_ops far_ops = {.size = sizeof(far_ops),
						   .send = far_send,
						   .recv = far_recv,
						   .fd = far_fd,
						   .port = far_port,
						   .close = far_close};

static int open_at(struct far_end *f, struct ha_ipvs **ret)
{
	const struct ha_nl_transport t = {&far_ops, f};
	const struct ha_ipvs_opts o = {.size = sizeof(o), .transport = &t};

	return ha_ipvs_open(&o, ret);
}

static int setup(void **state)
{
	struct far_end *f = calloc(1, sizeof(*f));

	if (!f || pipe(f->pipe) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct far_end *f = *state;

	close(f->pipe[0]);
	close(f->pipe[1]);
	free(f);
	return 0;
}

static void a_kernel_without_ipvs_is_not_supported(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs *v;

	f->absent = true;
	assert_int_equal(open_at(f, &v), -EOPNOTSUPP);
	assert_int_equal(f->n_closed, 0); /* the transport is still ours */
}

static void without_the_privilege_opening_says_so(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs *v;

	f->answer[IPVS_CMD_GET_INFO] = -EPERM;
	assert_int_equal(open_at(f, &v), -EPERM);
	assert_int_equal(f->n_closed, 0);
}

static void closing_closes_the_transport(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs *v;

	assert_int_equal(open_at(f, &v), 0);
	ha_ipvs_close(v);
	assert_int_equal(f->n_closed, 1);
	ha_ipvs_close(NULL);
}

static void a_dump_that_lies_gives_no_table(void **state)
{
	struct far_end *f = *state;
	struct ha_service_table *t = NULL;
	struct ha_ipvs *v;

	assert_int_equal(open_at(f, &v), 0);
	f->cut = true;
	assert_int_equal(ha_ipvs_dump(v, &t), -EBADMSG);
	f->cut = false;
	f->wrong_type = true;
	assert_int_equal(ha_ipvs_dump(v, &t), -EBADMSG);
	f->wrong_type = false;
	assert_null(t);
	assert_int_equal(ha_ipvs_dump(v, &t), 0);
	assert_int_equal(ha_service_table_count(t), 1);
	assert_int_equal(ha_dest_count(ha_service_next(t, NULL)), 1);
	ha_service_table_free(t);
	ha_ipvs_close(v);
}

static void one_service_is_read_by_its_key(void **state)
{
	struct ha_service_opts key = service_of("tcp 192.0.2.1 80 rr"), nothing = {.size = sizeof(nothing)};
	struct far_end *f = *state;
	struct ha_service_table *t = NULL;
	struct ha_ipvs *v;
	size_t n;

	assert_int_equal(open_at(f, &v), 0);
	n = f->n_commands;
	assert_int_equal(ha_ipvs_dump_service(v, &key, &t), 0);
	assert_int_equal(f->n_commands, n + 2);
	assert_int_equal(f->commands[n], IPVS_CMD_GET_SERVICE);
	assert_int_equal(f->commands[n + 1], IPVS_CMD_GET_DEST);
	assert_non_null(ha_service_find(t, &key));
	assert_int_equal(ha_dest_count(ha_service_next(t, NULL)), 1);
	ha_service_table_free(t);
	f->answer[IPVS_CMD_GET_SERVICE] = -ESRCH;
	assert_int_equal(ha_ipvs_dump_service(v, &key, &t), 0);
	assert_int_equal(ha_service_table_count(t), 0);
	ha_service_table_free(t);
	t = NULL;
	f->answer[IPVS_CMD_GET_SERVICE] = -EPERM;
	assert_int_equal(ha_ipvs_dump_service(v, &key, &t), -EPERM);
	f->answer[IPVS_CMD_GET_SERVICE] = 0;
	f->answer[IPVS_CMD_GET_DEST] = -EPERM;
	assert_int_equal(ha_ipvs_dump_service(v, &key, &t), -EPERM);
	n = f->n_commands;
	assert_int_equal(ha_ipvs_dump_service(v, &nothing, &t), -EINVAL);
	assert_int_equal(ha_ipvs_dump_service(v, NULL, &t), -EINVAL);
	assert_int_equal(ha_ipvs_dump_service(v, &key, NULL), -EINVAL);
	assert_int_equal(f->n_commands, n);
	assert_null(t);
	ha_ipvs_close(v);
}

struct told {
	struct ha_ipvs *v;
	size_t n;
	int error[8], again;
};

static void tell(void *userdata, const struct ha_service_step *step, int error)
{
	struct ha_service_table *t;
	struct told *told = userdata;

	assert_int_equal(step->index, told->n);
	told->error[told->n++] = error;
	told->again = ha_ipvs_dump(told->v, &t);
}

/* Applies two services with a destination each, from nothing. */
static int apply_two(struct ha_ipvs *v, struct told *told)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = tell};
	struct ha_service_table *none = table_of("");
	struct ha_service_table *want = table_of(
	    "tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1\ntcp 192.0.2.2 80 rr\n 10.0.0.1 80 NAT 1");
	struct ha_service_plan *p;
	int r;

	*told = (struct told){.v = v};
	assert_int_equal(ha_service_plan(want, none, &p), 0);
	r = ha_ipvs_apply(v, p, &ops, told);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(none);
	return r;
}

static void a_call_from_inside_a_callback_is_busy(void **state)
{
	struct ha_ipvs *v;
	struct told told;

	assert_int_equal(open_at(*state, &v), 0);
	assert_int_equal(apply_two(v, &told), 0);
	assert_int_equal(told.n, 4);
	assert_int_equal(told.again, -EBUSY);
	ha_ipvs_close(v);
}

static void each_error_names_its_step(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs *v;
	struct told told;

	assert_int_equal(open_at(f, &v), 0);
	f->answer[IPVS_CMD_NEW_DEST] = -ERANGE;
	assert_int_equal(apply_two(v, &told), -ERANGE);
	assert_int_equal(told.error[0], 0);
	assert_int_equal(told.error[1], -ERANGE);
	assert_int_equal(told.error[2], 0);
	assert_int_equal(told.error[3], -ERANGE);
	ha_ipvs_close(v);
}

static void what_is_there_already_is_adopted(void **state)
{
	static const uint8_t commands[] = {IPVS_CMD_NEW_SERVICE, IPVS_CMD_NEW_DEST,
					   IPVS_CMD_NEW_SERVICE, IPVS_CMD_NEW_DEST,
					   IPVS_CMD_SET_SERVICE, IPVS_CMD_SET_SERVICE};
	struct far_end *f = *state;
	struct ha_ipvs *v;
	struct told told;

	assert_int_equal(open_at(f, &v), 0);
	f->n_commands = 0;
	f->answer[IPVS_CMD_NEW_SERVICE] = -EEXIST;
	assert_int_equal(apply_two(v, &told), 2);
	assert_int_equal(told.error[0], 0);
	assert_int_equal(f->n_commands, sizeof(commands));
	assert_memory_equal(f->commands, commands, sizeof(commands));
	ha_ipvs_close(v);
}

static void lost_answers_leave_every_step_unknown(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs *v;
	struct told told;

	assert_int_equal(open_at(f, &v), 0);
	f->lost = true;
	assert_int_equal(apply_two(v, &told), -ENOBUFS);
	assert_int_equal(told.n, 4);
	for (size_t i = 0; i < told.n; i++)
		assert_int_equal(told.error[i], -ENOBUFS);
	ha_ipvs_close(v);
}

struct halves {
	size_t done, unknown;
};

static void count_halves(void *userdata, const struct ha_service_step *step, int error)
{
	struct halves *h = userdata;

	if (error)
		h->unknown++;
	else
		h->done++;
	assert_true(error == 0 || (error == -ENOBUFS && step->index >= h->done));
}

/* Two chunks of requests, and of the second the answers are lost. */
static void answers_lost_halfway_leave_the_rest_unknown(void **state)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = count_halves};
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 rr");
	struct ha_service_table *none = table_of(""), *want = table_of("");
	struct far_end *f = *state;
	struct halves h = {0};
	struct ha_service_plan *p;
	struct ha_ipvs *v;

	for (o.port = 1; o.port <= 800; o.port++)
		assert_int_equal(ha_service_add(want, &o, NULL), 0);
	assert_int_equal(open_at(f, &v), 0);
	assert_int_equal(ha_service_plan(want, none, &p), 0);
	f->lost_in = 2;
	assert_int_equal(ha_ipvs_apply(v, p, &ops, &h), -ENOBUFS);
	assert_true(h.done > 500 && h.unknown > 200);
	assert_int_equal(h.done + h.unknown, 800);
	/* The next call gets its own answers. */
	assert_int_equal(ha_ipvs_apply(v, p, NULL, NULL), 0);
	ha_service_plan_free(p);
	ha_ipvs_close(v);
	ha_service_table_free(want);
	ha_service_table_free(none);
}

static void memory_failure_is_an_error_everywhere(void **state)
{
	struct far_end *f = *state;
	long n = 0;
	int r;

	do {
		struct ha_service_table *t = NULL;
		struct ha_ipvs *v = NULL;

		f->head = f->tail = 0;
		fail_in = n++;
		r = open_at(f, &v);
		if (!r)
			r = ha_ipvs_dump(v, &t);
		fail_in = -1;
		assert_true(r == 0 || r == -ENOMEM);
		ha_service_table_free(t);
		ha_ipvs_close(v);
	} while (r && n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 5);
}

static void memory_failure_while_applying_is_told_for_every_step(void **state)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = tell};
	struct ha_service_table *none = table_of("");
	struct ha_service_table *want = table_of("tcp 192.0.2.1 80 rr\n 10.0.0.1 80 NAT 1");
	struct ha_service_plan *p;
	struct ha_ipvs *v;
	long n = 0;
	int r;

	assert_int_equal(ha_service_plan(want, none, &p), 0);
	do {
		struct told told;

		assert_int_equal(open_at(*state, &v), 0);
		told = (struct told){.v = v};
		fail_in = n++;
		r = ha_ipvs_apply(v, p, &ops, &told);
		fail_in = -1;
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(told.n, 2);
		for (size_t i = 0; i < told.n; i++)
			assert_int_equal(told.error[i], r);
		ha_ipvs_close(v);
	} while (r && n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 1);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(none);
}

static void what_is_beside_services_is_read_and_set(void **state)
{
	struct far_end *f = *state;
	struct ha_ipvs_sync s = {.size = sizeof(s)};
	struct ha_ipvs_timeouts t = {.size = sizeof(t)}, none = {.size = sizeof(none)};
	struct ha_service_opts mark = {.size = sizeof(mark), .fwmark = 7};
	struct ha_ipvs *v;
	size_t n;

	assert_int_equal(open_at(f, &v), 0);
	assert_int_equal(ha_ipvs_sync_get(v, HA_IPVS_SYNC_MASTER, &s), -ESRCH);
	assert_int_equal(ha_ipvs_sync_get(v, HA_IPVS_SYNC_BACKUP, &s), 0);
	assert_string_equal(s.interface, "eth0");
	f->answer[IPVS_CMD_NEW_DAEMON] = -EEXIST;
	assert_int_equal(ha_ipvs_sync_start(v, &s), -EEXIST);
	assert_int_equal(ha_ipvs_sync_stop(v, HA_IPVS_SYNC_BACKUP), 0);
	assert_int_equal(ha_ipvs_timeouts_get(v, &t), 0);
	assert_int_equal(t.tcp_fin_s, 120);
	assert_int_equal(ha_ipvs_timeouts_set(v, &t), 0);
	assert_int_equal(ha_ipvs_zero(v, NULL), 0);
	f->answer[IPVS_CMD_ZERO] = -ESRCH;
	assert_int_equal(ha_ipvs_zero(v, &mark), -ESRCH);
	/* Answers that lie. */
	f->cut = true;
	assert_int_equal(ha_ipvs_sync_get(v, HA_IPVS_SYNC_BACKUP, &s), -EBADMSG);
	f->cut = false;
	f->wrong_type = true;
	assert_int_equal(ha_ipvs_timeouts_get(v, &t), -EBADMSG);
	f->wrong_type = false;
	/* What is misuse, or nothing, is not sent. */
	n = f->n_commands;
	assert_int_equal(ha_ipvs_timeouts_set(v, &none), 0);
	assert_int_equal(ha_ipvs_timeouts_set(v, NULL), -EINVAL);
	assert_int_equal(ha_ipvs_sync_stop(v, 0), -EINVAL);
	assert_int_equal(ha_ipvs_sync_start(v, NULL), -EINVAL);
	assert_int_equal(ha_ipvs_sync_get(v, HA_IPVS_SYNC_BACKUP, NULL), -EINVAL);
	s.role = 3;
	assert_int_equal(ha_ipvs_sync_start(v, &s), -EINVAL);
	s.role = HA_IPVS_SYNC_BACKUP;
	s.reserved[3] = 1;
	assert_int_equal(ha_ipvs_sync_start(v, &s), -EINVAL);
	t = (struct ha_ipvs_timeouts){.size = sizeof(t), .tcp_s = 1, .reserved = 1};
	assert_int_equal(ha_ipvs_timeouts_set(v, &t), -EINVAL);
	mark.fwmark = 0;
	assert_int_equal(ha_ipvs_zero(v, &mark), -EINVAL);
	assert_int_equal(f->n_commands, n);
	ha_ipvs_close(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_kernel_without_ipvs_is_not_supported),
	    TEST(without_the_privilege_opening_says_so),
	    TEST(closing_closes_the_transport),
	    TEST(a_dump_that_lies_gives_no_table),
	    TEST(one_service_is_read_by_its_key),
	    TEST(a_call_from_inside_a_callback_is_busy),
	    TEST(what_is_beside_services_is_read_and_set),
	    TEST(each_error_names_its_step),
	    TEST(what_is_there_already_is_adopted),
	    TEST(lost_answers_leave_every_step_unknown),
	    TEST(answers_lost_halfway_leave_the_rest_unknown),
	    TEST(memory_failure_is_an_error_everywhere),
	    TEST(memory_failure_while_applying_is_told_for_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
