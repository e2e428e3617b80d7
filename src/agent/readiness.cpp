#include "src/agent/readiness.hpp"

#include <algorithm>

#include <re2/re2.h>

#include "src/base/text.hpp"

namespace atq::agent {

Readiness::Readiness(EventLoop& loop, std::function<void()> on_ready)
    : loop_(loop), on_ready_(std::move(on_ready)) {}

Readiness::~Readiness() {
  for (const auto& port : ports_) loop_.cancel(port->retry);
}

Result<std::unique_ptr<Readiness>> Readiness::create(EventLoop& loop, const ReplicaSpec& spec,
                                                     std::function<void()> on_ready) {
  std::unique_ptr<Readiness> readiness(new Readiness(loop, std::move(on_ready)));
  if (!spec.readiness.log_pattern.empty()) {
    auto pattern = compile_pattern(spec.readiness.log_pattern);
    if (!pattern) return fail_with("readiness.log", pattern.error());
    readiness->pattern_ = *std::move(pattern);
    readiness->pattern_seen_ = false;
  }
  if (spec.readiness.tcp_port != 0) readiness->add_port(spec, "tcp", spec.readiness.tcp_port);
  if (spec.readiness.http_port != 0) readiness->add_port(spec, "http", spec.readiness.http_port);
  return readiness;
}

void Readiness::add_port(const ReplicaSpec& spec, const std::string& kind, int port) {
  auto entry = std::make_unique<Port>();
  entry->check.target = {.kind = kind,
                         .host = spec.address.empty() ? "127.0.0.1" : spec.address,
                         .port = port,
                         .path = spec.readiness.http_path};
  ports_.push_back(std::move(entry));
}

void Readiness::start() {
  started_ = Clock::now();
  running_ = true;
  for (const auto& port : ports_) try_port(*port);
  decide();
}

void Readiness::see_line(std::string_view line) {
  if (pattern_seen_ || !matches(*pattern_, line)) return;
  pattern_seen_ = true;
  decide();
}

void Readiness::try_port(Port& port) {
  port.attempt = start_attempt(loop_, port.check, [this, &port](const std::string& error) {
    port.attempt.reset();
    port.held = error.empty();
    port.last_error = error;
    if (port.held) return decide();
    // Tight at first, as a tool's own start is what people wait for; looser for the slow ones.
    using std::chrono::milliseconds;
    const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - started_);
    const auto delay = std::clamp(waited / 20, milliseconds(20), milliseconds(200));
    port.retry = loop_.after(delay, [this, &port] { try_port(port); });
  });
}

std::string Readiness::missing() const {
  if (held_) return {};
  std::vector<std::string> out;
  for (const auto& port : ports_) {
    if (port->held) continue;
    const bool tried = !port->last_error.empty();
    out.push_back(tried ? port->last_error : describe(port->check.target) + " is being tried");
  }
  if (!pattern_seen_) out.push_back("no line of its output matches /" + pattern_->pattern() + "/");
  return join(out, "; ");
}

void Readiness::decide() {
  if (held_ || !running_ || !pattern_seen_) return;
  if (!std::ranges::all_of(ports_, [](const auto& port) { return port->held; })) return;
  held_ = true;
  on_ready_();
}

}  // namespace atq::agent
