#pragma once
// The configured runtimes and which of them has which run. Filled from known_runs() at start, kept
// up by what is begun and removed.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/ports/runtime.hpp"

namespace atq::engine {

class Runtimes {
 public:
  /// The first is the store's own (spec.runtime ""). All must outlive this.
  explicit Runtimes(std::vector<ports::Runtime*> all);

  const std::vector<ports::Runtime*>& all() const noexcept { return all_; }
  /// nullptr where none has that name; "" = the first.
  ports::Runtime* find(const std::string& name) const;
  /// "process, lab", for messages.
  std::string names() const;

  struct Known {
    ports::Runtime* runtime = nullptr;
    api::Key key;
    std::shared_ptr<const api::FrozenSpec> frozen;
  };
  /// nullptr where no runtime has it.
  const Known* run(const core::RunId& id) const;
  bool has_runs_of(const std::string& uid) const;
  /// All runs, by id.
  const std::map<core::RunId, Known>& runs() const noexcept { return runs_; }

  /// Reads known_runs() of all again.
  void refresh();
  /// A run was begun; one that is known stays as it was frozen first.
  void begun(const core::RunId& id, Known known);
  void removed(const core::RunId& id);

 private:
  std::vector<ports::Runtime*> all_;
  std::map<core::RunId, Known> runs_;
};

}  // namespace atq::engine
