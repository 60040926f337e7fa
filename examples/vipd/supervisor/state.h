/* SPDX-License-Identifier: MIT */
/* Inside the supervisor. */
#ifndef VIPD_SUPERVISOR_STATE_H
#define VIPD_SUPERVISOR_STATE_H

#include <stdio.h>

#include "conf/conf.h"
#include "control/events.h"
#include "fifo.h"
#include "loop.h"
#include "mail/mail.h"
#include "msg.h"
#include "process.h"
#include "script.h"
#include "tracker.h"
#include "watch/watch.h"

struct child {
	struct supervisor *supervisor;
	enum role role;
	pid_t pid;		  /* 0: does not run */
	pid_t left;		  /* one that has said MSG_LEFT, and ends; 0: none */
	struct process_user user; /* uid 0: not looked up yet */
	bool wanted;
	uint64_t started_ns;
	unsigned backoff_s, deaths;
	struct loop_source *timer; /* starts it again */
};

/* What it last heard of an object, for dumps and scripts. */
struct heard {
	int32_t state, priority;
	struct why why;
	double since; /* UNIX seconds */
};

/* Who waits for vrrp and kernel to write down what they know: supervisor/fresh.c */
struct supervisor;
typedef void fresh_fn(struct supervisor *s, void *userdata);
#define FRESH_WAITERS_MAX 64
struct fresh {
	struct {
		fresh_fn *fn;
		void *userdata;
	} waiter[FRESH_WAITERS_MAX];
	size_t n;
	unsigned pending; /* bits of enum role: who has not answered yet */
	unsigned silent;  /* likewise: who did not answer in time, and is not waited for until he does */
	uint64_t heard_ns[N_ROLES]; /* when he last did; 0: never */
	struct loop_source *timer;
};

enum phase {
	PHASE_RUN,
	PHASE_RELOAD,	/* vrrp and health end, with their state written down */
	PHASE_EXCHANGE, /* kernel ends; then all start from the new configuration */
	PHASE_STOP,	/* vrrp and health end */
	PHASE_CLEAR,	/* kernel ends */
	PHASE_SCRIPTS,	/* the last scripts run */
};

/* A name of a table of nftables that no other vipd may have meanwhile. */
struct table_claim {
	char name[OPTIONS_TABLE_SIZE]; /* "": none */
	int fd;
};

struct supervisor {
	const struct options *options;
	struct loop *loop;
	struct conf *conf, *old, *next;
	struct shared *shared;
	struct live *live;
	struct weights *weights;
	struct weights *old_weights; /* until the kernel process has dealt with `old` */
	size_t *pair;		     /* likewise: conf_pairs.virtual */
	struct settings_before *before;
	struct orders *orders;
	struct events events;
	struct control *control_socket; /* NULL: none */
	struct metrics_server *metrics; /* likewise */
	struct fresh fresh_waiters;
	enum msg_backend backend;
	char **argv;
	char *upgrade;		/* the program to become; NULL: this is an ordinary reload */
	double started, loaded; /* UNIX seconds: this process, its configuration */
	bool ran;		/* the other processes were started before */
	bool load_failed;	/* the last reload was refused */
	struct scripts *scripts;
	struct fifos *fifos;
	struct mails *mails;
	struct trackers *trackers;
	struct watches *watches;
	struct child child[N_ROLES];
	int control[N_ROLES][2];	      /* [0]: ours */
	int vrrp_kernel[2], health_kernel[2]; /* [0]: vrrp's and health's, [1]: kernel's */
	struct heard *instance, *group;
	uint64_t begin_ns; /* vrrp_startup_delay: no instance begins before */
	enum phase phase;
	bool reload_again, stop_again; /* asked for during a reload */
	bool kernel_again; /* it died during this stop or reload, and has a successor */
	unsigned saves; /* of config_save_dir: 0 at the start, one more with each reload */
	struct reload_timer *reload_timer; /* reload_time_file; NULL: none */
	struct table_claim table, table_of_marks; /* that the configuration names */
	bool fresh;			   /* the routers' memory is of this moment */
	struct loop_source *deadline;
	int pid_fd;
	int result;
};

/* supervisor/supervisor.c */
/* Reads the configuration and says what is wrong with it; NULL when it cannot run. */
struct conf *supervisor_load(const struct options *o);
void supervisor_load_ipvs(const struct conf *c);
void supervisor_read(struct supervisor *s, enum role from); /* what it said */
void supervisor_on_track(void *userdata, uint32_t index, bool ok, uint8_t exit_code);
void supervisor_on_watch(void *userdata, uint32_t index, int32_t value);

/* supervisor/child.c: the other processes */
void child_start(struct supervisor *s, enum role role);
void child_on_timer(struct loop *l, void *userdata);
void child_tell(const struct supervisor *s, enum role role, enum msg_type type, int32_t value);
void children_start(struct supervisor *s);
void children_served(struct supervisor *s); /* MSG_SERVED */
void children_forget_old(struct supervisor *s);
void children_reap(struct supervisor *s);
void child_left(struct supervisor *s, enum role role); /* MSG_LEFT; then phase_advance */
void pair_drain(int fd); /* what nobody took any more is not for the next one */

/* supervisor/phase.c: reload and stop */
void phase_reload(struct supervisor *s);
void phase_stop(struct supervisor *s, int result);
void phase_advance(struct supervisor *s); /* a process ended */
void phase_tell_kernel(struct supervisor *s); /* to end, if it is its turn */
void phase_on_deadline(struct loop *l, void *userdata);
int phase_make_heard(struct supervisor *s, const struct conf *c);

/* supervisor/reload_time.c: reload_time_file, of the configuration that is there now; NULL is fine */
void reload_timer_new(struct supervisor *s);
void reload_timer_free(struct reload_timer *t);

/* supervisor/fresh.c */
int fresh_init(struct supervisor *s);
/* Calls `fn` when vrrp and kernel have written down what they know, or do not answer: perhaps at once. */
void fresh_ask(struct supervisor *s, fresh_fn *fn, void *userdata);
void fresh_begins(struct supervisor *s, enum role role); /* a successor of one that may have been asked */
void fresh_arrived(struct supervisor *s, enum role from);
void fresh_forget(struct supervisor *s, const void *userdata);

double supervisor_now(void); /* UNIX seconds */
void supervisor_open_control(struct supervisor *s);
void supervisor_clear_counters(const struct supervisor *s);

/* supervisor/notify.c: scripts that follow events */
void notify_instance(struct supervisor *s, const struct msg *m);
void notify_priority(struct supervisor *s, const struct msg *m);
void notify_rx_lower(struct supervisor *s, const struct msg *m);
void notify_states_again(struct supervisor *s); /* to FIFOs, after a reload */
void notify_remark(struct supervisor *s, uint32_t index, uint32_t remark);
void notify_group(struct supervisor *s, const struct msg *m);
void notify_ended(struct supervisor *s, const struct conf *next); /* NULL: all */
void notify_real(struct supervisor *s, const struct msg *m);   /* MSG_REAL */
void notify_quorum(struct supervisor *s, const struct msg *m); /* MSG_QUORUM */
/* supervisor/tables.c: marks tables that the configuration names and another vipd has, and says so */
void tables_claim(struct supervisor *s, struct conf *c);

/* supervisor/removed.c: of servers that `next` has no longer; at the end of those with omega */
void notify_removed(struct supervisor *s, const struct conf *next);
void notify_omega(struct supervisor *s);

/* supervisor/save.c: config_save_dir. What `c` was read from; what is known now, `when`: ".pre", ".post" */
void save_configuration(struct supervisor *s, const struct conf *c);
void save_state(struct supervisor *s, const char *when);

/* supervisor/dump.c: what SIGUSR1, SIGUSR2 and SIGRTMIN + 2 ask for */
fresh_fn dump_data, dump_stats;		  /* userdata: NULL */
fresh_fn dump_json;			  /* supervisor/dump_json.c */
void dump_bfd_data(struct supervisor *s); /* supervisor/dump_bfd.c */
void dump_vrrp_to(FILE *f, const struct supervisor *s);
void dump_check_to(FILE *f, const struct supervisor *s);
void dump_check_data(struct supervisor *s); /* supervisor/dump_check.c */
/* supervisor/dump_checker.c */
void dump_checkers(FILE *f, const struct supervisor *s);
bool dump_check_is_up(const struct supervisor *s, const struct conf_check *c, size_t index);
void dump_tracked_by_real(FILE *f, const struct conf_real *r);
/* supervisor/dump_interface.c */
void dump_sockets(FILE *f, const struct conf *c);
void dump_interfaces(FILE *f, const struct conf *c);
/* supervisor/dump_global.c */
void dump_parent_data(struct supervisor *s);
void dump_globals(FILE *f, const struct supervisor *s);
void dump_static(FILE *f, const struct conf_instance *fixed); /* NULL: nothing */
/* supervisor/dump_track.c */
void dump_trackers(FILE *f, const struct conf_instance *i);
void dump_tracked(FILE *f, const struct supervisor *s);
void dump_command(FILE *f,
		  const struct conf_script *script); /* as 'WORD' 'WORD' and a line's end */
/* `said` (may be NULL) is what the configuration has instead of `name`. */
FILE *dump_open(const char *said, const char *name, char *path, size_t cap);
void dump_close(FILE *f, const char *path);
#define DUMP_NAME_SIZE 256
void dump_data_name(const struct supervisor *s, const char *base, char *buf, size_t cap);
void dump_address_text(const struct conf_instance *i, const struct conf_address *a, bool set,
		       char *buf, size_t cap);
int dump_effective_priority(const struct conf_instance *i, const struct live_router *r);
#define DUMP_DROPPED(what) dropped[HA_VRRP_DROP_##what] /* in struct live_counters */

#endif
