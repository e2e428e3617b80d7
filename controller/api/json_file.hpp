#pragma once
// A JSON document that people wrote, as against one that a program gives.

#include "controller/api/codec.hpp"

namespace atq::api {

/// As decode_json(), and all problems carry line and column, as those of YAML do. A text with
/// problems is read twice; one without costs nothing more.
Document decode_json_file(std::string_view text, const Limits& limits = {});

}  // namespace atq::api
