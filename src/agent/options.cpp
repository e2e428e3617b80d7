#include "src/agent/options.hpp"

#include <algorithm>
#include <charconv>

#include "src/base/text.hpp"

namespace atq::agent {

std::unexpected<Error> invalid(std::string message) {
  return fail(ErrorKind::Invalid, std::move(message));
}

std::optional<int64_t> to_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Parsed> separate(const std::vector<std::string>& arguments, size_t first,
                        const std::vector<std::string_view>& allowed) {
  Parsed parsed;
  for (size_t i = first; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("-")) {
      parsed.words.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (std::ranges::find(allowed, name) == allowed.end()) {
      const std::string_view near = nearest(name, allowed);
      return invalid("unknown option " + name +
                     (near.empty() ? "" : ", did you mean " + std::string(near) + "?"));
    }
    if (parsed.options.contains(name)) return invalid("option " + name + " stands twice");
    if (equals != std::string::npos) {
      parsed.options[name] = argument.substr(equals + 1);
    } else if (i + 1 == arguments.size()) {
      return invalid("option " + name + " needs a value");
    } else {
      parsed.options[name] = arguments[++i];
    }
  }
  return parsed;
}

}  // namespace atq::agent
