#pragma once
// Several watches as the one that a StoreSink sees: a single whole truth once each has told its
// own, differences from then on. With one watch everything passes through. No event loop in it.

#include <map>
#include <string>
#include <vector>

#include "controller/ports/store.hpp"

namespace atq::stores::kube {

class Merge {
 public:
  /// `sink` must outlive it.
  Merge(ports::StoreSink& sink, size_t watches) : sink_(sink), watches_(watches) {}

  // What watch number `from` tells.
  void replace_begin(size_t from);
  void replace_add(size_t from, ports::StoredTest test);
  void replace_end(size_t from);
  void upsert(size_t from, ports::StoredTest test);
  void remove(size_t from, const api::Key& key, const std::string& uid);

 private:
  using Uids = std::map<api::Key, std::string>;
  struct Watch {
    Uids known;   // that the sink has of it
    Uids listed;  // in the list under way
    bool told = false;
  };

  bool alone() const noexcept { return watches_.size() == 1; }
  void pass_on(ports::StoredTest test);
  void drop(const api::Key& key, const std::string& uid);

  ports::StoreSink& sink_;
  std::vector<Watch> watches_;
  Uids stale_;          // told in the first list, gone before its end
  bool begun_ = false;  // the first list
  bool whole_ = false;
};

}  // namespace atq::stores::kube
