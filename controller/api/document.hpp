#pragma once
// Text to a document tree with the positions of its parts. Everything is bounded while it is read:
// bytes, depth, nodes after aliases are expanded, problems. Internal to api.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/codec.hpp"

namespace atq::api {

/// 1-based; 0 where unknown.
struct Position {
  int line = 0;
  int column = 0;
};

/// Where the keys and list items of a document stand, by path ("spec.worker.ports[0].name").
class Positions {
 public:
  void add(std::string_view path, Position position);
  /// Of the path, else of its nearest parent that is known.
  Position nearest(std::string_view path) const;
  bool known() const { return !entries_.empty(); }

 private:
  std::vector<std::pair<std::string, Position>> entries_;
  mutable std::unordered_map<std::string, Position> index_;  ///< made at the first question
};

struct PositionedJson {
  std::shared_ptr<const nlohmann::json> value;  ///< never null; a part where `broken`
  Positions positions;
  std::vector<Problem> problems;  ///< "syntax" and "duplicate-key"
  int line = 1;                   ///< where the document starts
  bool broken = false;            ///< a syntax error or a bound ended it early
};

/// The documents of a YAML stream, empty ones left out. Scalars are resolved as in yaml_scalar.hpp,
/// merge keys (<<) as kubectl does: what comes later wins.
std::vector<PositionedJson> parse_yaml(std::string_view text, const Limits& limits);

/// `positions`: of all keys and items too, not only of syntax errors.
PositionedJson parse_json(std::string_view text, const Limits& limits, bool positions);

}  // namespace atq::api
