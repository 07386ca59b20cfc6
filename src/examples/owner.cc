/* SPDX-License-Identifier: MIT */
// A process as a value: a class that owns a pidfd, in ten lines.
#include <cstdio>
#include <pidguard/pidguard.h>
#include <unistd.h>
#include <utility>

class Process {
public:
  explicit Process(int pidfd = -1) : fd(pidfd) {}
  Process(Process &&other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Process &operator=(Process other) noexcept { return std::swap(fd, other.fd), *this; }
  ~Process() {
    if (fd >= 0)
      close(fd);
  }
  bool signal(int sig) const { return pidguard_pidfd_send_signal(fd, sig, 0) == 0; }
  int wait() {
    int status = -1;
    pidguard_pidfd_wait(fd, &status, -1);
    return status;
  }

private:
  int fd;
};

int main() {
  char sh[] = "sh", c[] = "-c", script[] = "exit 7", *argv[] = {sh, c, script, nullptr};
  Process first(pidguard_spawn("sh", argv, environ, nullptr, 0)), worker;
  worker = std::move(first);
  bool there = worker.signal(0);
  std::printf("status %d\n", there ? WEXITSTATUS(worker.wait()) : -1);
  return worker.signal(0) || first.signal(0); // reaches no process, even if another one has the PID now
}
