// What the kernel says about a process: CPU seconds used and resident memory. Read from /proc before and after a
// measured phase; never samples in the background.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

// utime + stime of the process (all its threads), in seconds; 0 when it is gone.
double cpu_seconds(pid_t pid);
double cpu_seconds(const std::vector<pid_t> &pids);
// Resident memory; 0 when the process is gone.
long rss_kb(pid_t pid);
// Nanoseconds on CLOCK_MONOTONIC: one clock for every program of the bench on this machine.
long long now_ns();
// Raises RLIMIT_NOFILE to the hard limit and returns it.
unsigned long raise_file_limit();

}  // namespace bench
