/* SPDX-License-Identifier: MIT */
/*
 * A virtual router for tests, run the hard way: after a child was forked that keeps the privilege and
 * opens sockets on request (SCM_RIGHTS), this process becomes nobody. It prints its changes of state and
 * remarks, its counters as a line of JSON after SIGUSR1, and puts up no address.
 *
 *	vrrp_router INTERFACE VRID ADDRESS PRIORITY CENTISECONDS VERSION [PASSWORD|ah:PASSWORD|-] [PEER]
 *
 * Without libcrypto there is no AH: exit status 77.
 */
#include <libha/vrrp_link.h>

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_LIBCRYPTO
#include "adapters/hmac_openssl.h"
#define HMAC hmac_openssl
#else
#define HMAC NULL
#endif

#define NOBODY 65534
#define AH "ah:"

static volatile sig_atomic_t ended, asked;

static void end(int sig)
{
	ended = sig;
}

static void ask_counters(int sig)
{
	asked = sig;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the privileged side ---- */

static void answer(int channel, const struct ha_vrrp_socket *want)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	int fd = ha_vrrp_link_open_socket(want), error = fd < 0 ? fd : 0;
	struct iovec iov = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.room);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	sendmsg(channel, &m, 0);
	if (fd >= 0)
		close(fd);
}

static void serve(int channel)
{
	struct ha_vrrp_socket want;

	while (recv(channel, &want, sizeof(want), 0) == (ssize_t)sizeof(want))
		answer(channel, &want);
	_exit(0);
}

/* ---- the side that speaks VRRP ---- */

static int ask(const struct ha_vrrp_socket *want, void *userdata)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	int channel = *(int *)userdata, error = -EPROTO, fd;
	struct iovec iov = {&error, sizeof(error)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control.room)};

	if (send(channel, want, sizeof(*want), 0) < 0 || recvmsg(channel, &m, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (error < 0 || !CMSG_FIRSTHDR(&m))
		return error < 0 ? error : -EPROTO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static int on_send(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		   void *link)
{
	return ha_vrrp_link_send(*(struct ha_vrrp_link **)link, v, to, advert, len);
}

static void on_announce(struct ha_vrrp *v, unsigned repeat, void *link)
{
	ha_vrrp_link_announce_all(*(struct ha_vrrp_link **)link, v, repeat);
}

static void on_change(struct ha_vrrp *v, const struct ha_vrrp_change *c, void *link)
{
	printf("%s: %s\n", ha_vrrp_state_name(c->to), ha_vrrp_reason_name(c->reason));
}

static void on_drop(struct ha_vrrp *v, enum ha_vrrp_drop drop, const struct ha_vrrp_meta *m,
		    void *link)
{
	printf("dropped: %s\n", ha_vrrp_drop_name(drop));
}

static void on_remark(struct ha_vrrp *v, enum ha_vrrp_remark what, const struct ha_vrrp_meta *m,
		      void *link)
{
	printf("remark: %s\n", ha_vrrp_remark_name(what));
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "vrrp_router: %s: %s\n", what, strerror(-error));
	return 1;
}

/* Those of a list that are not zero: "NAME":{"ttl":3,..} */
static void print_list(const char *name, const uint64_t *count, size_t n,
		       const char *(*name_of)(unsigned))
{
	const char *comma = "";

	printf(",\"%s\":{", name);
	for (unsigned i = 0; i < n; i++) {
		if (!count[i])
			continue;
		printf("%s\"%s\":%llu", comma, name_of(i), (unsigned long long)count[i]);
		comma = ",";
	}
	putchar('}');
}

static const char *drop_name(unsigned i)
{
	return ha_vrrp_drop_name((enum ha_vrrp_drop)i);
}

static const char *remark_name(unsigned i)
{
	return ha_vrrp_remark_name((enum ha_vrrp_remark)i);
}

static const char *form_name(unsigned i)
{
	static const char *const name[HA_VRRP_N_CHECKSUMS] = {"pseudo", "message", "pseudo group"};

	return name[i];
}

static void print_counters(const struct ha_vrrp *v, const struct ha_vrrp_link *link)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	struct ha_vrrp_link_stats l = {.size = sizeof(l)};

	ha_vrrp_stats(v, &s);
	ha_vrrp_link_stats(link, &l);
	printf("{\"state\":\"%s\"", ha_vrrp_state_name(ha_vrrp_state(v)));
	printf(",\"became_active\":%llu", (unsigned long long)s.became_active);
	printf(",\"sent\":%llu", (unsigned long long)s.adverts_sent);
	printf(",\"replies\":%llu", (unsigned long long)s.replies_sent);
	printf(",\"accepted\":%llu", (unsigned long long)s.adverts_received);
	printf(",\"priority_zero\":%llu", (unsigned long long)s.priority_zero_received);
	printf(",\"unknown_vrid\":%llu", (unsigned long long)l.unknown_vrid);
	print_list("dropped", s.dropped, HA_VRRP_N_DROPS, drop_name);
	print_list("remarks", s.remarks, HA_VRRP_N_REMARKS, remark_name);
	print_list("checksums", s.checksums, HA_VRRP_N_CHECKSUMS, form_name);
	puts("}");
}

/* Signals come while it waits, and only then. */
static void run(struct ha_vrrp *v, struct ha_vrrp_link *link)
{
	sigset_t all, while_waiting;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &while_waiting);
	ha_vrrp_start(v, now());
	while (!ended) {
		struct pollfd p = {.fd = ha_vrrp_link_fd(link), .events = POLLIN};
		uint64_t t = now(), due = ha_vrrp_link_deadline(link), ns = due > t ? due - t : 0;
		struct timespec wait = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

		ppoll(&p, 1, &wait, &while_waiting);
		ha_vrrp_link_dispatch(link, now());
		if (asked) {
			asked = 0;
			print_counters(v, link);
		}
	}
	ha_vrrp_stop(v, now());
}

/* What the command line says; what the options point at. */
struct wanted {
	struct ha_vrrp_opts o;
	struct ha_vrrp_link_opts lo;
	struct ha_vrrp_key key;
	struct ha_ip address, peer;
};

static bool read_words(struct wanted *w, int argc, char **argv)
{
	const char *secret = argc > 7 && strcmp(argv[7], "-") ? argv[7] : NULL;

	if (argc < 7 || ha_ip_parse(argv[3], &w->address) < 0)
		return false;
	w->lo.ifindex = if_nametoindex(argv[1]);
	w->lo.family = w->o.family = w->address.family;
	w->o.vrid = (uint8_t)atoi(argv[2]);
	w->o.addresses = &w->address;
	w->o.priority = (uint8_t)atoi(argv[4]);
	w->o.advert_interval_cs = (uint16_t)atoi(argv[5]);
	w->o.version = (uint8_t)atoi(argv[6]);
	if (secret && !strncmp(secret, AH, strlen(AH))) {
		w->key.secret = secret + strlen(AH);
		w->key.len = strlen(secret) - strlen(AH);
		w->o.auth = HA_VRRP_AUTH_AH;
		w->o.keys = &w->key;
		w->o.n_keys = 1;
		w->lo.ah = true;
	} else {
		w->o.auth_pass = secret;
	}
	if (argc > 8 && ha_ip_parse(argv[8], &w->peer) == 0) {
		w->o.peers = &w->peer;
		w->o.n_peers = 1;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct ha_vrrp_ops ops = {.size = sizeof(ops),
				  .send = on_send,
				  .announce = on_announce,
				  .changed = on_change,
				  .dropped = on_drop,
				  .remark = on_remark,
				  .hmac = HMAC};
	struct wanted w = {.o = {.size = sizeof(w.o), .n_addresses = 1, .any_first_address = true},
			   .lo = {.size = sizeof(w.lo), .open_socket = ask}};
	struct ha_vrrp_link *link = NULL;
	struct ha_vrrp *v = NULL;
	int channel[2], r;

	if (!read_words(&w, argc, argv))
		return fprintf(stderr, "vrrp_router: see the head of vrrp_router.c\n"), 2;
	if (w.o.auth && !ops.hmac)
		return 77;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return fail("socketpair", -errno);
	if (fork() == 0) {
		close(channel[0]);
		serve(channel[1]);
	}
	close(channel[1]);
	if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return fail("cannot become nobody", -errno);
	setvbuf(stdout, NULL, _IOLBF, 0);
	w.lo.userdata = &channel[0];
	r = ha_vrrp_link_source(w.lo.ifindex, w.o.family, &w.address, 1, &w.o.source);
	if (r < 0)
		return fail("no source address", r);
	if (ha_vrrp_check(&w.o))
		return fprintf(stderr, "vrrp_router: %s\n", ha_vrrp_check(&w.o)), 2;
	r = ha_vrrp_link_new(&w.lo, &link);
	if (r < 0)
		return fail("link", r);
	close(channel[0]); /* nothing more will be asked */
	r = ha_vrrp_new(&w.o, &ops, &link, &v);
	if (r < 0)
		return fail("router", r);
	signal(SIGINT, end);
	signal(SIGTERM, end);
	signal(SIGUSR1, ask_counters);
	ha_vrrp_link_add(link, v);
	run(v, link);
	ha_vrrp_link_free(link);
	ha_vrrp_free(v);
	return 0;
}
