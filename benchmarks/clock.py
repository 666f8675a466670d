"""A clock on the wall that jumps, for processes that are told to look at it; that of the machine stays as it is.

A few lines of C go between the processes and the system's library. What they do not change: the clocks that only count seconds
(CLOCK_MONOTONIC), and the times of files.
"""

import mmap
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long shift(void) {
    static volatile long long *seconds;
    if (!seconds) {
        const char *path = getenv("PORTRAYAL_SHIFTED_CLOCK");
        int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0)
            close(file);
        if (map == MAP_FAILED)
            return 0;
        seconds = map;
    }
    return *seconds;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    if (at) {
        clock_gettime(CLOCK_REALTIME, &now);
        at->tv_sec = now.tv_sec;
        at->tv_usec = now.tv_nsec / 1000;
    }
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
"""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of the processes that have `variables` in their environment."""

    library: Path
    shift: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "PORTRAYAL_SHIFTED_CLOCK": str(self.shift)}

    def jump(self, seconds: int) -> None:
        """Be so many seconds ahead of the machine's clock from now on; behind it, when negative."""
        with self.shift.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
            shared[:] = struct.pack("q", seconds)


def wall_clock(folder: Path) -> Clock:
    """A clock that shows the machine's time until it jumps.

    Raises:
        FileNotFoundError: there is no C compiler.
        subprocess.CalledProcessError: it refused.
    """
    source, clock = folder / "clock.c", Clock(folder / "clock.so", folder / "shift")
    source.write_text(SOURCE)
    clock.shift.write_bytes(struct.pack("q", 0))
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(clock.library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return clock
