/*
 * usage: run a command and print what it used, with the processes it waited for.
 *
 *   usage FILE PROGRAM [ARGS]
 *
 * writes to FILE: peak resident set in KiB, page faults, CPU time in microseconds, exit status.
 * Why a program of its own: a process begins its life with the peak resident set of the one it was forked
 * from, and exec keeps it (getrusage(2), ru_maxrss; kernel function setmax_mm_hiwater_rss). Asked by a large
 * program, every small command looks as large as that program. This one is smaller than anything measured.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage use;
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3)
		return 2;
	pid = fork();
	if (pid == 0) {
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) < 0)
		return 125;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	out = fopen(argv[1], "we");
	if (!out)
		return 125;
	fprintf(out, "%ld %ld %ld %d\n", use.ru_maxrss, use.ru_minflt + use.ru_majflt,
		(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000L + use.ru_utime.tv_usec + use.ru_stime.tv_usec,
		status);
	return fclose(out) ? 125 : status;
}
