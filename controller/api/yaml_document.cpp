#include <algorithm>
#include <map>
#include <optional>
#include <spanstream>

#include <nlohmann/json.hpp>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "controller/api/document.hpp"
#include "controller/api/tree_builder.hpp"
#include "controller/api/yaml_guard.hpp"
#include "controller/api/yaml_scalar.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

Position position_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

class YamlHandler : public YAML::EventHandler {
 public:
  explicit YamlHandler(const Limits& limits) : tree_(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    anchors_.clear();
    // Before a sign that starts no value yaml-cpp finds empty documents, and stays where it is.
    if (mark.pos == last_start_) {
      throw Refused{"found a sign that starts no value, such as ',' or ']'; quote it",
                    position_of(mark)};
    }
    last_start_ = mark.pos;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    scalar(nullptr, position_of(mark), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const Position position = position_of(mark);
    const bool plain = tag == "?";
    if (!plain) last_quoted_ = mark;
    if (plain && text == "<<" && tree_.expects_key()) {
      tree_.merge_key();
      return;
    }
    auto value = plain        ? resolve_plain(text)
                 : tag == "!" ? Result<json>(json(text))
                              : resolve_tagged(tag, text);
    if (!value) {
      // As a key it is a name again, as nothing is computed with it.
      if (!tree_.expects_key()) throw Refused{value.error().message, position};
      value = json(text);
    }
    scalar(*std::move(value), position, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Position position = position_of(mark);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Refused{"found an alias to a value that contains it, expected one that is complete",
                    position};
    }
    if (tree_.expects_key()) {
      key(found->second.value, position);
    } else {
      tree_.copy(found->second.value, found->second.cost, position);
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(false, position_of(mark), anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(true, position_of(mark), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  /// Start of the last scalar that is not plain; null where there is none.
  const YAML::Mark& last_quoted() const { return last_quoted_; }

  PositionedJson take() {
    open_anchors_.clear();
    anchors_.clear();
    return tree_.take();
  }

 private:
  struct Anchored {
    json value;
    TreeBuilder::Cost cost;
  };

  void scalar(json value, Position position, YAML::anchor_t anchor) {
    if (tree_.expects_key()) {
      if (anchor != 0) anchors_.insert_or_assign(anchor, Anchored{value, {1, 0}});
      key(value, position);
      return;
    }
    if (anchor != 0) {
      const size_t bytes = value.is_string() ? value.get_ref<const std::string&>().size() : 0;
      anchors_.insert_or_assign(anchor, Anchored{value, {1, bytes}});
    }
    tree_.scalar(std::move(value), position);
  }

  void key(const json& value, Position position) {
    auto name = key_of_scalar(value);
    if (!name) throw Refused{name.error().message, position};
    tree_.key(*std::move(name), position);
  }

  void open(bool is_map, Position position, YAML::anchor_t anchor) {
    if (tree_.expects_key()) {
      throw Refused{std::string("found a ") + (is_map ? "map" : "list") +
                        " as a key, expected a name; if it is a template's {{ }}, quote it",
                    position};
    }
    tree_.open(is_map, position);
    open_anchors_.push_back(anchor);
  }

  void close() {
    const YAML::anchor_t anchor = open_anchors_.back();
    open_anchors_.pop_back();
    if (anchor != 0) {
      const auto cost = tree_.spend_copy();
      anchors_.insert_or_assign(anchor, Anchored{tree_.open_value(), cost});
    }
    tree_.close();
  }

  TreeBuilder tree_;
  std::vector<YAML::anchor_t> open_anchors_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  int last_start_ = -1;
  YAML::Mark last_quoted_ = YAML::Mark::null_mark();
};

/// yaml-cpp takes the end of the text for the end of a quoted text, which hides that a file was cut
/// off. Only the last quoted scalar can be without its end.
bool is_cut_off(std::string_view text, const YAML::Mark& mark) {
  if (mark.is_null()) return false;
  text = text.substr(std::min(static_cast<size_t>(mark.pos), text.size()));
  while (text.starts_with('!') || text.starts_with('&')) {
    text = text.substr(std::min(text.find_first_of(" \t\n"), text.size()));
    text = text.substr(std::min(text.find_first_not_of(" \t\n"), text.size()));
  }
  const char quote = text.empty() ? '\0' : text[0];
  if (quote != '"' && quote != '\'') return false;
  for (size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return false;
      ++i;
    }
  }
  return true;
}

/// yaml-cpp's words, where a newcomer needs better ones.
std::string reason_of(const YAML::Exception& error) {
  static const std::map<std::string_view, std::string_view> kReasons = {
      {"illegal map value",
       "found ':' where no value may stand; check the indentation, and quote texts with \": \""},
      {"end of map not found",
       "found a line that does not belong to the map before it; check the indentation"},
      {"end of sequence not found",
       "found a line that does not belong to the list before it; check the indentation"},
      {"end of sequence flow not found", "found no ']' for a '['"},
      {"end of map flow not found", "found no '}' for a '{'"},
      {"illegal EOF in scalar", "found the end of the text inside a quoted text"},
      {"EOF in scalar", "found the end of the text inside a quoted text"},
      {"illegal block entry", "found '-' where no list may stand; check the indentation"},
      {"illegal map key", "found a key where none may stand; check the indentation"},
      {"unknown token", "found a sign that starts no value (a tab, '@', '`' or '%'); quote it"},
  };
  const auto known = kReasons.find(error.msg);
  return to_printable(truncate(known == kReasons.end() ? error.msg : known->second, 200));
}

Problem syntax_problem(std::string message, Position position) {
  return {"", std::move(message), "syntax", position.line, position.column};
}

void skip_empty(PositionedJson&& parsed, std::vector<PositionedJson>& documents) {
  if (parsed.value->is_null() && parsed.problems.empty()) return;
  documents.push_back(std::move(parsed));
}

void parse_stream(std::string_view text, const Limits& limits,
                  std::vector<PositionedJson>& documents) {
  YamlHandler handler(limits);
  std::optional<Problem> problem;
  try {
    std::ispanstream stream(std::span<const char>(text.data(), text.size()));
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) {
      skip_empty(handler.take(), documents);
      if (documents.size() > limits.max_documents) {
        throw Refused{"found more than " + std::to_string(limits.max_documents) +
                          " documents in one stream, expected fewer",
                      {documents.back().line, 1}};
      }
    }
    if (is_cut_off(text, handler.last_quoted()) && !documents.empty()) {
      documents.back().broken = true;
      documents.back().problems.push_back(
          syntax_problem("not valid YAML: found the end of the text inside a quoted text",
                         position_of(handler.last_quoted())));
    }
  } catch (const Refused& refused) {
    problem = syntax_problem(refused.message, refused.position);
  } catch (const YAML::Exception& error) {
    problem = syntax_problem("not valid YAML: " + reason_of(error), position_of(error.mark));
  }
  if (!problem) return;
  PositionedJson rest = handler.take();
  rest.broken = true;
  rest.problems.push_back(*std::move(problem));
  documents.push_back(std::move(rest));
}

}  // namespace

std::vector<PositionedJson> parse_yaml(std::string_view text, const Limits& limits) {
  std::vector<PositionedJson> documents;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (auto problem = guard_yaml(text, limits)) {
    PositionedJson& refused = documents.emplace_back();
    refused.value = std::make_shared<const json>();
    refused.broken = true;
    refused.problems.push_back(*std::move(problem));
    return documents;
  }
  parse_stream(text, limits, documents);
  return documents;
}

}  // namespace atq::api
