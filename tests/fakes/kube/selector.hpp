#pragma once
// Label and field selectors as an API server reads them. Pure.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/base/error.hpp"

namespace atq::fakes::kube {

/// "a=1,b!=2,c,!d,e in (x,y),f notin (z)"
class LabelSelector {
 public:
  static Result<LabelSelector> parse(std::string_view text);
  bool matches(const nlohmann::json& object) const;

 private:
  enum class Op { Exists, Absent, In, NotIn };
  struct Term {
    std::string key;
    Op op;
    std::vector<std::string> values;
  };
  static Result<Term> parse_term(std::string_view text);
  std::vector<Term> terms_;
};

/// "metadata.name=x,spec.nodeName!=y": paths of strings.
class FieldSelector {
 public:
  static Result<FieldSelector> parse(std::string_view text);
  bool matches(const nlohmann::json& object) const;

 private:
  struct Term {
    std::vector<std::string> path;
    bool equal = true;
    std::string value;
  };
  std::vector<Term> terms_;
};

}  // namespace atq::fakes::kube
