#include "src/stores/directory/names.hpp"

#include <algorithm>

#include "src/base/text.hpp"

namespace atq::stores::directory {

bool is_hidden(std::string_view file_name) { return file_name.starts_with('.'); }

bool is_source_name(std::string_view file_name) {
  return !is_hidden(file_name) && (file_name.ends_with(".yaml") || file_name.ends_with(".yml"));
}

Result<std::string> namespace_of(std::string_view folder) {
  if (folder.empty()) return "default";
  std::string name = join(split(folder, '/'), "-");
  if (is_dns_label(name)) return name;
  return fail(ErrorKind::Invalid,
              "folder \"" + shown(folder) + "\" stands for the namespace \"" + shown(name) +
                  "\", which is no valid name: use lower-case letters, digits and '-', at most 63");
}

std::string folder_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

bool is_dns_label(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && alphanumeric(name.front()) &&
         alphanumeric(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return alphanumeric(c) || c == '-'; });
}

bool is_object_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return std::ranges::all_of(split(name, '.'), [](const auto& part) { return is_dns_label(part); });
}

std::string shown(std::string_view path) {
  std::string text = truncate(to_printable(path), 256);
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace atq::stores::directory
