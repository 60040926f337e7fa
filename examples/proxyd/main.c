/* SPDX-License-Identifier: MIT */
/* proxyd: reads haproxy.cfg, checks it, and runs it. */
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <errno.h>

#include "cfg.h"
#include "cli.h"

int main(int argc, char **argv)
{
	struct cli cli;
	struct diag d = {0};
	struct cfg *cfg;
	int status = cli_parse(argc, argv, &cli);

	if (status >= 0)
		return status;
	if (cli.directory && chdir(cli.directory) < 0) {
		cli_say(LOG_ERR, "cannot change to %s: %s", cli.directory, strerror(errno));
		return 1;
	}
	if (cfg_load(&(struct cfg_load_opts){cli.path, cli.n_paths, cli.ignore_unresolved}, &d,
		     &cfg) < 0)
		return 1;
	cli_print_diag(&d, !cli.quiet);
	status = d.count[DIAG_ERROR] ? 1 : 0;
	if (status)
		cli_say(LOG_ERR, "config : Fatal errors found in configuration.");
	else
		puts("Configuration file is valid");
	diag_fini(&d);
	cfg_free(cfg);
	return status;
}
