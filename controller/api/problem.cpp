#include "controller/api/codec.hpp"

namespace atq::api {

std::string to_string(const Problem& problem) {
  std::string out;
  if (problem.line > 0) {
    out = "line " + std::to_string(problem.line) + ", column " + std::to_string(problem.column);
    out += ": ";
  }
  if (!problem.path.empty()) out += problem.path + ": ";
  return out + problem.message;
}

std::string to_string(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    if (!out.empty()) out += '\n';
    out += to_string(problem);
  }
  return out;
}

}  // namespace atq::api
