#include "tests/fakes/kube/selector.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::fakes::kube {

namespace {

std::string_view trim(std::string_view text) {
  const size_t from = text.find_first_not_of(' ');
  return from == std::string_view::npos ? std::string_view{}
                                        : text.substr(from, text.find_last_not_of(' ') - from + 1);
}

/// At commas outside of parentheses.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms;
  std::string term;
  int depth = 0;
  for (const char c : text) {
    depth += (c == '(') - (c == ')');
    if (c == ',' && depth == 0) {
      terms.push_back(std::move(term));
      term.clear();
    } else {
      term += c;
    }
  }
  if (!trim(term).empty()) {
    terms.push_back(std::move(term));
  }
  return terms;
}

}  // namespace

Result<LabelSelector::Term> LabelSelector::parse_term(std::string_view text) {
  text = trim(text);
  for (const auto& [word, op] :
       {std::pair{std::string_view(" notin ("), Op::NotIn}, {" in (", Op::In}}) {
    if (const size_t at = text.find(word); at != text.npos && text.ends_with(')')) {
      Term term{std::string(trim(text.substr(0, at))), op, {}};
      const size_t from = at + word.size();
      for (const auto& value : split(text.substr(from, text.size() - from - 1), ',')) {
        term.values.emplace_back(trim(value));
      }
      return term;
    }
  }
  if (const size_t at = text.find('='); at != text.npos) {
    const bool unequal = at > 0 && text[at - 1] == '!';
    const size_t from = at + (text.substr(at).starts_with("==") ? 2 : 1);
    return Term{std::string(trim(text.substr(0, unequal ? at - 1 : at))),
                unequal ? Op::NotIn : Op::In,
                {std::string(trim(text.substr(from)))}};
  }
  if (text.empty() || text.contains(' ')) {
    return fail(ErrorKind::Invalid, "unable to parse requirement: " + std::string(text));
  }
  return text.starts_with('!') ? Term{std::string(text.substr(1)), Op::Absent, {}}
                               : Term{std::string(text), Op::Exists, {}};
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  for (const auto& part : split_terms(text)) {
    auto term = parse_term(part);
    if (!term) {
      return std::unexpected(term.error());
    }
    selector.terms_.push_back(std::move(*term));
  }
  return selector;
}

bool LabelSelector::matches(const nlohmann::json& object) const {
  static const nlohmann::json kNone = nlohmann::json::object();
  const auto& metadata = object.at("metadata");
  const auto it = metadata.find("labels");
  const auto& labels = it != metadata.end() && it->is_object() ? *it : kNone;
  return std::ranges::all_of(terms_, [&](const Term& term) {
    const auto label = labels.find(term.key);
    const bool there = label != labels.end();
    const bool listed =
        there && label->is_string() &&
        std::ranges::find(term.values, label->get<std::string>()) != term.values.end();
    switch (term.op) {
      case Op::Exists:
        return there;
      case Op::Absent:
        return !there;
      case Op::In:
        return listed;
      case Op::NotIn:
        return !listed;
    }
    return false;
  });
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector selector;
  for (const auto& part : split(text, ',')) {
    const size_t at = part.find('=');
    if (at == std::string::npos || at == 0) {
      return fail(ErrorKind::Invalid, "invalid field selector: " + part);
    }
    const bool unequal = part[at - 1] == '!';
    const size_t from = at + (part.substr(at).starts_with("==") ? 2 : 1);
    selector.terms_.push_back(
        {split(part.substr(0, unequal ? at - 1 : at), '.'), !unequal, part.substr(from)});
  }
  return selector;
}

bool FieldSelector::matches(const nlohmann::json& object) const {
  return std::ranges::all_of(terms_, [&](const Term& term) {
    const nlohmann::json* at = &object;
    for (const auto& key : term.path) {
      const auto it = at->is_object() ? at->find(key) : at->end();
      if (!at->is_object() || it == at->end()) {
        return (term.value.empty()) == term.equal;
      }
      at = &*it;
    }
    return (at->is_string() && at->get<std::string>() == term.value) == term.equal;
  });
}

}  // namespace atq::fakes::kube
