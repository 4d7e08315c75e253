/*
 * floor: the least kernel work that makes the container of `runc spec`.
 *
 * It is the yardstick of the benchmark: no configuration, no checks, no state, only the system calls without
 * which the container would be another one. What a runtime takes longer than this is its own doing.
 * It is written in C so that it shares nothing with the runtimes it is compared with.
 *
 *   floor [-d] [-s FILTER] [-n COUNT] [-T] -c CGROUP -r ROOTFS PROGRAM [ARGS]
 *
 *   -c CGROUP  directory to make in the cgroup2 hierarchy, removed afterwards
 *   -r ROOTFS  root filesystem
 *   -d         attach the device rules of `runc spec` as an eBPF program
 *   -s FILTER  load this seccomp program (an array of struct sock_filter)
 *   -n COUNT   make COUNT containers one after the other
 *   -T         print how long each step took
 *
 * Facts: clone(2), cgroups(7), mount(2), pivot_root(2), capabilities(7), seccomp(2), bpf(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOCKED (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* The child shares this memory until its exec (CLONE_VM), so the parent reads here what the child did. */
static const char *doing;
static int failed;
static char **program;
static char *environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL,
};
static const char *rootfs;
static struct sock_fprog filter;

/* ---- steps and their times ---- */

enum { STEPS = 24, ROUNDS = 10000 };
static const char *step_name[STEPS];
static uint32_t (*step_time)[STEPS]; /* nanoseconds per round and step; NULL without -T */
static int step, round_number;
static struct timespec step_begin;

static void begin(void)
{
	step = 0;
	if (step_time)
		clock_gettime(CLOCK_MONOTONIC, &step_begin);
}

static void done(const char *name)
{
	struct timespec now;

	if (!step_time)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	step_name[step] = name;
	step_time[round_number][step++] =
		(now.tv_sec - step_begin.tv_sec) * 1000000000L + now.tv_nsec - step_begin.tv_nsec;
	clock_gettime(CLOCK_MONOTONIC, &step_begin);
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* In the child: leave word for the parent and end. */
static void need(int result, const char *what)
{
	if (result >= 0)
		return;
	failed = errno;
	doing = what;
	_exit(125);
}

/* ---- inside the container ---- */

static void mount_filesystems(void)
{
	need(mount("", "/", NULL, MS_SLAVE | MS_REC, NULL), "make / a slave");
	need(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind rootfs");
	need(chdir(rootfs), "chdir rootfs");
	done("slave, bind rootfs");
	need(mount("proc", "proc", "proc", 0, NULL), "mount proc");
	done("mount proc");
	need(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "mount dev");
	done("mount dev");
	need(mkdir("dev/pts", 0755), "mkdir dev/pts");
	need(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620,gid=5"), "mount dev/pts");
	done("mount devpts");
	need(mkdir("dev/shm", 0755), "mkdir dev/shm");
	need(mount("shm", "dev/shm", "tmpfs", LOCKED, "mode=1777,size=65536k"), "mount dev/shm");
	done("mount shm");
	need(mkdir("dev/mqueue", 0755), "mkdir dev/mqueue");
	need(mount("mqueue", "dev/mqueue", "mqueue", LOCKED, NULL), "mount dev/mqueue");
	done("mount mqueue");
	need(mount("sysfs", "sys", "sysfs", LOCKED | MS_RDONLY, NULL), "mount sys");
	done("mount sysfs");
	need(mount("cgroup", "sys/fs/cgroup", "cgroup2", LOCKED | MS_RELATIME | MS_RDONLY, NULL), "mount cgroup2");
	done("mount cgroup2");
}

static void make_devices(void)
{
	static const struct { const char *path; unsigned minor, major; } node[] = {
		{"dev/null", 3, 1}, {"dev/zero", 5, 1}, {"dev/full", 7, 1},
		{"dev/random", 8, 1}, {"dev/urandom", 9, 1}, {"dev/tty", 0, 5},
	};
	static const char *const link[][2] = {
		{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
		{"/proc/self/fd/2", "dev/stderr"}, {"pts/ptmx", "dev/ptmx"},
	};

	umask(0);
	for (size_t i = 0; i < LENGTH(node); i++)
		need(mknod(node[i].path, S_IFCHR | 0666, makedev(node[i].major, node[i].minor)), node[i].path);
	for (size_t i = 0; i < LENGTH(link); i++)
		need(symlink(link[i][0], link[i][1]), link[i][1]);
	umask(022);
	done("6 devices, 5 links");
}

static void change_root(void)
{
	need(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	done("pivot_root");
	need(umount2(".", MNT_DETACH), "detach the old root");
	need(chdir("/"), "chdir /");
	done("umount old root");
}

static void hide_paths(void)
{
	static const char *const masked[] = {
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
	};
	static const char *const readonly[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
	};

	for (size_t i = 0; i < LENGTH(masked); i++) {
		struct stat found;

		/* Look first: a bind that fails costs the kernel a wait for RCU to take its copy back. */
		if (stat(masked[i], &found) < 0)
			continue;
		if (S_ISDIR(found.st_mode))
			need(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL), masked[i]);
		else
			need(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
	}
	done("10 masked paths");
	for (size_t i = 0; i < LENGTH(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0 && errno == ENOENT)
			continue;
		need(mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), readonly[i]);
	}
	need(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "read-only root");
	done("5 read-only paths, /");
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(fd, "socket");
	need(ioctl(fd, SIOCSIFFLAGS, &request), "lo up");
	close(fd);
	done("lo up");
}

static void drop_rights(void)
{
	const uint64_t keep = 1ull << CAP_AUDIT_WRITE | 1ull << CAP_KILL | 1ull << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{keep, keep, 0}, {keep >> 32, keep >> 32, 0}};
	struct rlimit files = {1024, 1024};

	need(setsid(), "setsid");
	need(sethostname("bench", 5), "sethostname");
	need(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
	done("session, hostname, rlimit");
	for (int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break; /* EINVAL: past the last capability of this kernel */
	}
	done("bounding set");
	need(syscall(SYS_setgroups, 0, NULL), "setgroups");
	need(syscall(SYS_capset, &header, data), "capset");
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	done("capset, no_new_privs");
	if (filter.len)
		need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
	done("seccomp");
}

static _Noreturn void child(void)
{
	done("clone3");
	/* clone3 would take the caller's cgroup as the root of the namespace, not the new one. */
	need(unshare(CLONE_NEWCGROUP), "unshare cgroup");
	done("cgroup namespace");
	mount_filesystems();
	make_devices();
	change_root();
	hide_paths();
	raise_loopback();
	drop_rights();
	execve(program[0], program, environment);
	need(-1, "exec");
	_exit(125);
}

/* ---- outside ---- */

/* vfork with the flags of clone3: the child runs on the parent's stack, in its own frames, until the exec. */
static inline __attribute__((always_inline)) long clone3(struct clone_args *args, size_t size)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(SYS_clone3), "D"(args), "S"(size)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = size;
	register long x8 __asm__("x8") = SYS_clone3;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x8) : "memory");
	return x0;
#else
#error "clone3 for this processor is missing"
#endif
}

/* What `runc spec` allows: mknod of anything, and the devices below. */
static int load_device_program(void)
{
	enum { PTS = 136, FIRST = 12, DEVICES = 7, DENY = FIRST + DEVICES, END = DENY + 1 };
	static const int device[DEVICES][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}};
	struct bpf_insn code[END + 1] = {
		/* r1 is a struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor */
		{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0},
		{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, 4, 0},
		{BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 8, 0},
		{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1},
		{BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_5, BPF_REG_2, 0, 0},
		{BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_5, 0, 0, 16},
		{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, 0, END - 7, BPF_DEVCG_ACC_MKNOD},
		{BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff},
		{BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, DENY - 9, BPF_DEVCG_DEV_CHAR},
		{BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, 0, END - 10, PTS},
		{BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_3, 0, 0, 20},
		{BPF_ALU64 | BPF_OR | BPF_X, BPF_REG_3, BPF_REG_4, 0, 0},
		[DENY] = {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
		[END] = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE, .insn_cnt = END + 1};
	int fd;

	for (int i = 0; i < DEVICES; i++)
		code[FIRST + i] = (struct bpf_insn){BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, 0, END - FIRST - i - 1,
						    device[i][0] << 20 | device[i][1]};
	load.insns = (uintptr_t)code;
	load.license = (uintptr_t)"GPL";
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	if (fd < 0)
		die("load the device program");
	return fd;
}

static void attach_devices(int cgroup)
{
	union bpf_attr attach = {.target_fd = cgroup, .attach_type = BPF_CGROUP_DEVICE};
	int fd = load_device_program();

	attach.attach_bpf_fd = fd;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0)
		die("attach the device program");
	close(fd);
	done("device program");
}

enum devices { NO_DEVICE_RULES, DEVICE_RULES };

/* One container from nothing to nothing; returns the program's wait status. */
static int container(const char *cgroup, enum devices devices)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNET |
			 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS,
		.exit_signal = SIGCHLD,
	};
	int status, pidfd, directory;
	long pid;

	begin();
	if (mkdir(cgroup, 0755) < 0 || (directory = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(cgroup);
	done("cgroup mkdir, open");
	if (devices == DEVICE_RULES)
		attach_devices(directory);
	args.cgroup = directory;
	args.pidfd = (uintptr_t)&pidfd;
	pid = clone3(&args, sizeof args);
	if (pid == 0)
		child();
	if (pid < 0) {
		errno = -pid;
		die("clone3");
	}
	if (waitpid(pid, &status, 0) < 0)
		die("wait");
	done("exec, program, exit, wait");
	close(pidfd);
	close(directory);
	if (rmdir(cgroup) < 0)
		die("remove the cgroup");
	done("cgroup rmdir");
	if (failed) {
		errno = failed;
		die(doing);
	}
	return status;
}

static void read_filter(const char *path)
{
	static struct sock_filter code[BPF_MAXINSNS];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, code, sizeof code);

	if (size <= 0 || size % sizeof *code)
		die(path);
	close(fd);
	filter.len = size / sizeof *code;
	filter.filter = code;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_times(int rounds)
{
	static uint32_t column[ROUNDS];
	double sum = 0;

	printf("%-28s %9s %9s  (microseconds, %d containers)\n", "step", "median", "p95", rounds);
	for (int s = 0; s < step; s++) {
		for (int i = 0; i < rounds; i++)
			column[i] = step_time[i][s];
		qsort(column, rounds, sizeof *column, by_size);
		printf("%-28s %9.1f %9.1f\n", step_name[s], column[rounds / 2] / 1e3, column[rounds * 95 / 100] / 1e3);
		sum += column[rounds / 2] / 1e3;
	}
	printf("%-28s %9.1f\n", "sum of the medians", sum);
}

int main(int argc, char **argv)
{
	const char *cgroup = NULL;
	enum devices devices = NO_DEVICE_RULES;
	int rounds = 1, status = 0, timed = 0, option;

	while ((option = getopt(argc, argv, "+c:r:ds:n:T")) != -1) {
		switch (option) {
		case 'c': cgroup = optarg; break;
		case 'r': rootfs = optarg; break;
		case 'd': devices = DEVICE_RULES; break;
		case 's': read_filter(optarg); break;
		case 'n': rounds = atoi(optarg); break;
		case 'T': timed = 1; break;
		default: return 2;
		}
	}
	program = argv + optind;
	if (!cgroup || !rootfs || !*program || rounds < 1 || rounds > ROUNDS) {
		fprintf(stderr, "usage: floor [-d] [-s FILTER] [-n COUNT] [-T] -c CGROUP -r ROOTFS PROGRAM [ARGS]\n");
		return 2;
	}
	if (timed)
		step_time = calloc(rounds, sizeof *step_time);
	for (round_number = 0; round_number < rounds; round_number++)
		status = container(cgroup, devices);
	if (timed)
		print_times(rounds);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
