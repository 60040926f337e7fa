/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "addresses.h"
#include "log.h"
#include "loop.h"
#include "msg.h"
#include "privilege.h"
#include "services.h"

#define REPAIR_NS \
	UINT64_C(30000000000) /* how often strangers' changes to our services are looked for */
#define RETRY_NS UINT64_C(2000000000) /* after a change failed */
#define MESSAGES_PER_TURN 256

static const char *const users[] = {"nobody", NULL};

struct channel {
	struct kernel *kernel;
	enum msg_role role;
	int fd; /* -1: there is none */
	struct loop_source *source;
};

struct kernel {
	struct loop *loop;
	struct addresses *addresses;
	struct services *services;
	struct loop_source *repair;
	struct channel channel[MSG_N_ROLES];
};

static void answer(struct channel *c, const struct msg *request, int error, int pass_fd)
{
	const struct msg m = {.type = MSG_DONE, .seq = request->seq, .error = error};
	int r;

	if (!request->seq)
		return;
	r = msg_send(c->fd, &m, pass_fd);
	if (r < 0)
		log_err("cannot answer a request: %s", strerror(-r));
}

/* Opens only what the instance's link would open: on its interface, of its family. */
static int open_socket(struct kernel *k, const struct msg_socket *s)
{
	const struct conf_instance *i = addresses_instance(k->addresses, s->instance);
	int ifindex = addresses_ifindex(k->addresses, s->instance);

	if (!i || (ifindex >= 0 && s->want.ifindex != (uint32_t)ifindex))
		return -EINVAL;
	if (ifindex < 0)
		return ifindex;
	if (s->want.kind == HA_VRRP_SOCKET_ADVERT && s->want.family != i->family)
		return -EINVAL;
	return ha_vrrp_link_open_socket(&s->want);
}

static void handle_socket(struct kernel *k, struct channel *c, const struct msg *m)
{
	int fd = open_socket(k, &m->socket);

	answer(c, m, fd < 0 ? fd : 0, fd);
	if (fd >= 0)
		close(fd);
}

static int commit(struct kernel *k, bool repair)
{
	int r = services_commit(k->services, repair);

	loop_arm(k->repair, loop_now_ns(k->loop) + (r < 0 ? RETRY_NS : REPAIR_NS));
	return r;
}

static void on_repair(struct loop *l, void *userdata)
{
	(void)l;
	commit(userdata, true);
}

static void on_channel(struct loop *l, int fd, uint32_t events, void *userdata);

static int attach(struct kernel *k, enum msg_role role, int fd)
{
	struct channel *c = &k->channel[role];

	loop_remove(c->source);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct channel){.kernel = k, .role = role, .fd = fd};
	return fd < 0 ? 0 : loop_add_fd(k->loop, fd, EPOLLIN, on_channel, c, &c->source);
}

/* Nobody is left who could ask for anything: the addresses stay, as they would with a killed host. */
static void detach(struct channel *c)
{
	struct kernel *k = c->kernel;

	loop_remove(c->source);
	close(c->fd);
	c->source = NULL;
	c->fd = -1;
	for (int role = 0; role < MSG_N_ROLES; role++)
		if (k->channel[role].fd >= 0)
			return;
	loop_stop(k->loop, 0);
}

static int handle_peer(struct kernel *k, const struct msg *m, int fd)
{
	if (fd < 0 || (m->role != MSG_ROLE_VRRP && m->role != MSG_ROLE_HEALTH))
		return -EINVAL;
	return attach(k, (enum msg_role)m->role, fd);
}

static void handle_stop(struct kernel *k, const struct msg *m)
{
	if (!m->stop.keep)
		services_remove(k->services);
	loop_stop(k->loop, 0);
}

/* What each process may ask for. Anything else is a fault of that process, and is said. */
static void handle(struct channel *c, const struct msg *m, int fd)
{
	struct kernel *k = c->kernel;
	int r = -EPERM;

	if (c->role == MSG_ROLE_VRRP && m->type == MSG_SOCKET) {
		handle_socket(k, c, m);
		return;
	}
	if (c->role == MSG_ROLE_VRRP && m->type == MSG_ADDRESS) {
		r = addresses_set(k->addresses, m->address.instance, m->address.address,
				  m->address.hold);
	} else if (c->role == MSG_ROLE_HEALTH && m->type == MSG_DEST) {
		r = services_set_dest(k->services, m->dest.virtual_server, m->dest.real,
				      m->dest.present, m->dest.weight);
	} else if (c->role == MSG_ROLE_HEALTH && m->type == MSG_COMMIT) {
		r = commit(k, false);
	} else if (c->role == MSG_ROLE_SUPERVISOR && m->type == MSG_PEER) {
		r = handle_peer(k, m, fd);
		if (r >= 0)
			return; /* the descriptor is ours now */
	} else if (c->role == MSG_ROLE_SUPERVISOR && m->type == MSG_STOP) {
		handle_stop(k, m);
		r = 0;
	}
	if (r == -EPERM || r == -EINVAL)
		log_err("refused a request (type %u) that the configuration does not allow: %s",
			m->type, strerror(-r));
	if (fd >= 0)
		close(fd);
	answer(c, m, r, -1);
}

static void on_channel(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct channel *c = userdata;
	struct msg m;
	int got_fd, r = 1;

	(void)l, (void)events;
	for (int i = 0; i < MESSAGES_PER_TURN && c->fd == fd; i++) {
		r = msg_receive(fd, &m, &got_fd);
		if (r <= 0)
			break;
		handle(c, &m, got_fd);
	}
	if (r == -EPIPE && c->fd == fd)
		detach(c);
	else if (r < 0)
		log_err("a message that is none: %s", strerror(-r));
}

static int start(struct kernel *k, const struct kernel_args *args)
{
	const uint64_t keep = PRIVILEGE_BIT(CAP_NET_ADMIN) | PRIVILEGE_BIT(CAP_NET_RAW);
	int r = loop_new(&k->loop);

	if (!r)
		r = addresses_open(args->conf, &k->addresses);
	if (!r)
		r = services_open(args->conf, args->previous, &k->services);
	if (!r)
		r = privilege_drop(privilege_first_user(users), keep);
	if (!r)
		r = loop_add_timer(k->loop, on_repair, k, &k->repair);
	if (!r)
		r = attach(k, MSG_ROLE_SUPERVISOR, args->supervisor_fd);
	if (!r)
		r = attach(k, MSG_ROLE_VRRP, args->vrrp_fd);
	if (!r)
		r = attach(k, MSG_ROLE_HEALTH, args->health_fd);
	return r;
}

int kernel_run(const struct kernel_args *args)
{
	struct kernel k = {0};
	int r;

	for (int role = 0; role < MSG_N_ROLES; role++)
		k.channel[role].fd = -1;
	r = start(&k, args);
	if (r < 0)
		log_err("the kernel process cannot start: %s", strerror(-r));
	else
		r = loop_run(k.loop);
	services_free(k.services);
	addresses_free(k.addresses);
	loop_free(k.loop);
	return r < 0 ? 1 : 0;
}
