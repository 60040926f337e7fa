/* SPDX-License-Identifier: MIT */
/*
 * reload_time_file: somebody writes when to reload. The file may come later, change and go: its folder is watched
 * (inotify). The timer follows the wall clock, also when that is set.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"
#include "reload_time.h"
#include "supervisor/state.h"

#define EVENTS \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | IN_MOVE_SELF)
#define EVENTS_PER_TURN 16 /* reads */

struct reload_timer {
	struct supervisor *s;
	const char *path;
	time_t at; /* 0: never */
	int folder_fd, timer_fd;
	struct loop_source *folder, *timer;
};

static ssize_t read_line(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	ssize_t len = -1;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		len = read(fd, buf, cap);
	if (fd >= 0)
		close(fd);
	return len;
}

static void arm(struct reload_timer *t, time_t at)
{
	const struct itimerspec when = {.it_value.tv_sec = at};
	char text[40] = "";
	struct tm tm;

	if (at && at != t->at && localtime_r(&at, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm))
		log_notice("reload_time_file %s: vipd reloads at %s", t->path, text);
	else if (!at && t->at)
		log_notice("reload_time_file %s: no reload any more", t->path);
	t->at = at;
	if (timerfd_settime(t->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) <
	    0)
		log_err("reload_time_file: cannot set a timer: %s", strerror(errno));
}

static void look(struct reload_timer *t)
{
	char text[RELOAD_TIME_BYTES];
	ssize_t len = read_line(t->path, text, sizeof(text));
	time_t now = (time_t)supervisor_now(), at = 0;

	if (len > 0 && !reload_time_read(text, (size_t)len, now, &at)) {
		log_warn("reload_time_file %s: its first line is no time: write HH:MM:SS or "
			 "YYYY-MM-DD HH:MM:SS, with Z behind it for UTC",
			 t->path);
		at = 0;
	} else if (at && at <= now) {
		log_warn("reload_time_file %s: its time has gone by", t->path);
		at = 0;
	}
	arm(t, at);
}

static void on_folder(struct loop *l, int fd, uint32_t events, void *userdata)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct reload_timer *t = userdata;
	const char *name = strrchr(t->path, '/') + 1;
	bool ours = false;

	for (int turn = 0; turn < EVENTS_PER_TURN; turn++) {
		ssize_t len = read(fd, buf, sizeof(buf));

		for (char *at = buf; at < buf + len;) {
			const struct inotify_event *e = (void *)at;

			/* A folder that is renamed is not the file's any more. */
			ours |= !e->len || !strcmp(e->name, name);
			at += sizeof(*e) + e->len;
		}
		if (len <= 0)
			break;
	}
	if (ours)
		look(t);
}

static void on_time(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct reload_timer *t = userdata;
	struct supervisor *s = t->s;
	uint64_t times;

	if (read(fd, &times, sizeof(times)) < 0) {
		look(t); /* ECANCELED: the clock was set */
		return;
	}
	log_notice("reload_time_file %s: it is time", t->path);
	if (!s->conf->globals.reload_repeat && unlink(t->path) < 0 && errno != ENOENT)
		log_warn("reload_time_file %s: cannot remove it: %s", t->path, strerror(errno));
	look(t); /* the next day, when it stayed; a reload that is taken makes another timer */
	phase_reload(s);
}

static int watch(struct reload_timer *t)
{
	int r;
	char *folder = NULL;

	t->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	t->folder_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (t->timer_fd < 0 || t->folder_fd < 0)
		return -errno;
	if (asprintf(&folder, "%.*s", (int)(strrchr(t->path, '/') + 1 - t->path), t->path) < 0)
		return -ENOMEM;
	r = inotify_add_watch(t->folder_fd, folder, EVENTS) < 0 ? -errno : 0;
	if (r < 0)
		log_warn("reload_time_file: cannot watch %s: %s. It is looked at again when vipd "
			 "reloads",
			 folder, strerror(-r));
	free(folder);
	r = loop_add_fd(t->s->loop, t->folder_fd, EPOLLIN, on_folder, t, &t->folder);
	return r < 0 ? r : loop_add_fd(t->s->loop, t->timer_fd, EPOLLIN, on_time, t, &t->timer);
}

void reload_timer_new(struct supervisor *s)
{
	struct reload_timer *t;
	int r;

	reload_timer_free(s->reload_timer);
	s->reload_timer = NULL;
	if (!s->conf->globals.reload_time_file)
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	*t = (struct reload_timer){
	    .s = s, .path = s->conf->globals.reload_time_file, .folder_fd = -1, .timer_fd = -1};
	r = watch(t);
	if (r < 0) {
		log_err("reload_time_file has no effect: %s", strerror(-r));
		reload_timer_free(t);
		return;
	}
	s->reload_timer = t;
	look(t);
}

void reload_timer_free(struct reload_timer *t)
{
	if (!t)
		return;
	loop_remove(t->folder);
	loop_remove(t->timer);
	if (t->folder_fd >= 0)
		close(t->folder_fd);
	if (t->timer_fd >= 0)
		close(t->timer_fd);
	free(t);
}
