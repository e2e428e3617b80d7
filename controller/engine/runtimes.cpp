#include "controller/engine/runtimes.hpp"

namespace atq::engine {

Runtimes::Runtimes(std::vector<ports::Runtime*> all) : all_(std::move(all)) {}

ports::Runtime* Runtimes::find(const std::string& name) const {
  if (name.empty()) {
    return all_.empty() ? nullptr : all_.front();
  }
  for (ports::Runtime* runtime : all_) {
    if (runtime->name() == name) {
      return runtime;
    }
  }
  return nullptr;
}

std::string Runtimes::names() const {
  std::string text;
  for (const ports::Runtime* runtime : all_) {
    text += (text.empty() ? "" : ", ") + runtime->name();
  }
  return text;
}

const Runtimes::Known* Runtimes::run(const core::RunId& id) const {
  const auto it = runs_.find(id);
  return it == runs_.end() ? nullptr : &it->second;
}

bool Runtimes::has_runs_of(const std::string& uid) const {
  const auto it = runs_.lower_bound({uid, 0});
  return it != runs_.end() && it->first.uid == uid;
}

void Runtimes::refresh() {
  runs_.clear();
  for (ports::Runtime* runtime : all_) {
    for (ports::KnownRun& known : runtime->known_runs()) {
      runs_.emplace(std::move(known.id),
                    Known{runtime, std::move(known.key), std::move(known.frozen)});
    }
  }
}

void Runtimes::begun(const core::RunId& id, Known known) {
  runs_.try_emplace(id, std::move(known));
}

void Runtimes::removed(const core::RunId& id) { runs_.erase(id); }

}  // namespace atq::engine
