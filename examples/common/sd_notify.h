/* SPDX-License-Identifier: MIT */
/* The protocol of sd_notify(3): one datagram to the socket that systemd named. */
#ifndef COMMON_SD_NOTIFY_H
#define COMMON_SD_NOTIFY_H

/* "READY=1", "STOPPING=1" …. Without NOTIFY_SOCKET, or when nobody listens, nothing happens. */
void sd_notify_send(const char *state);

#endif
