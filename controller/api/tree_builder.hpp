#pragma once
// Builds a document tree from events (of YAML or JSON) within bounds. Internal to api.

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/document.hpp"

namespace atq::api {

/// Thrown by the builder to leave a parser in its middle; never passes document.hpp.
struct Refused {
  std::string message;
  Position position;
};

class TreeBuilder {
 public:
  /// How much of the document's bounds a node uses, for counting its copies.
  struct Cost {
    size_t nodes = 0;
    size_t bytes = 0;
  };

  explicit TreeBuilder(const Limits& limits);
  ~TreeBuilder();

  /// True where the next scalar is a key.
  bool expects_key() const;

  void open(bool is_map, Position position);
  void key(std::string name, Position position);
  /// The next value is merged into the open map instead of being put under a key.
  void merge_key();
  void scalar(nlohmann::json value, Position position);
  /// A copy of a node that was read before.
  void copy(const nlohmann::json& value, Cost cost, Position position);
  /// Ends the open map or list.
  void close();
  /// The map or list that is open, and what it costs to copy it (which the call spends).
  const nlohmann::json& open_value() const;
  Cost spend_copy();

  /// What there is, with all that is open closed.
  PositionedJson take();

 private:
  struct Frame;

  void spend(Cost cost, Position position);
  size_t enter(Position position);
  void put(nlohmann::json value, Position position);
  void merge(Frame& frame, nlohmann::json value, Position position);

  Limits limits_;
  PositionedJson result_;
  std::vector<Frame> stack_;
  std::string path_;
  Cost used_;
};

}  // namespace atq::api
