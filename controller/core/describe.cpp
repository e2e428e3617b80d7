#include "controller/core/describe.hpp"

#include <algorithm>

#include "src/base/text.hpp"

namespace atq::core {
namespace {

constexpr int kNamed = 3;
constexpr size_t kMaxReason = 200;

/// Blank lines and the rules of tables ("-----|-----") tell nobody anything.
bool has_words(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || byte >= 0x80;
  });
}

/// Why, in the runtime's, the profile's or the tool's own last words.
std::string cause_of(const Exit& exit) {
  if (!exit.diagnosis.empty()) return exit.diagnosis;
  for (auto line = exit.last_lines.rbegin(); line != exit.last_lines.rend(); ++line) {
    if (has_words(*line)) return *line;
  }
  return {};
}

}  // namespace

std::string describe(const Exit& exit) {
  std::string text = exit.signal != 0 ? "killed by signal " + std::to_string(exit.signal)
                                      : "exited " + std::to_string(exit.code);
  text += " after " + to_human(exit.ran_for);
  const std::string cause = cause_of(exit);
  if (!cause.empty()) text += ": " + truncate(cause, kMaxReason);
  return text;
}

std::string describe_state(const Replica& replica) {
  switch (replica.state) {
    case ReplicaState::Absent:
      return "not created yet";
    case ReplicaState::Exited:
      return replica.exit ? describe(*replica.exit) : "ended, nobody knows how";
    case ReplicaState::Inert:
    case ReplicaState::Starting:
    case ReplicaState::Running:
      break;
  }
  if (!replica.not_ready_because.empty()) return truncate(replica.not_ready_because, kMaxReason);
  if (replica.state == ReplicaState::Running) return "running, not ready yet";
  return replica.state == ReplicaState::Starting ? "starting" : "waiting for its release";
}

void WorkerList::add(int index, const std::function<std::string()>& what) {
  ++count_;
  if (count_ > kNamed) return;
  if (!text_.empty()) text_ += ", ";
  text_ += "worker " + std::to_string(index) + ": " + what();
}

std::string WorkerList::take() {
  if (count_ > kNamed) text_ += " and " + std::to_string(count_ - kNamed) + " more";
  return std::move(text_);
}

std::string count_of(int64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " ";
  text += noun;
  if (count != 1) text += "s";
  return text;
}

}  // namespace atq::core
