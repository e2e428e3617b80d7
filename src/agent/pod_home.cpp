#include "src/agent/pod_home.hpp"

#include <unistd.h>
#include <utility>

#include "src/agent/pass_through.hpp"

namespace atq::agent {

void PodHome::await_release(std::function<void()> released) { released_ = std::move(released); }

void PodHome::release() {
  if (const auto released = std::exchange(released_, nullptr)) released();
}

std::unique_ptr<OutputSink> PodHome::open_output(OutputStream stream, std::function<void()> room) {
  const int fd = stream == OutputStream::Stdout ? STDOUT_FILENO : STDERR_FILENO;
  return std::make_unique<PassThrough>(loop_, fd, std::move(room));
}

}  // namespace atq::agent
