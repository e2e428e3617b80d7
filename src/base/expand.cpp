#include "src/base/expand.hpp"

namespace atq {

std::string expand_variables(std::string_view text,
                             const std::map<std::string, std::string>& variables) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i++];
      continue;
    }
    if (text[i + 1] == '$') {  // $$ is one dollar sign; what follows is taken as it is
      out += '$';
      i += 2;
      continue;
    }
    const size_t close = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += text[i++];
      continue;
    }
    const auto found = variables.find(std::string(text.substr(i + 2, close - i - 2)));
    out += found != variables.end() ? found->second : std::string(text.substr(i, close - i + 1));
    i = close + 1;
  }
  return out;
}

}  // namespace atq
