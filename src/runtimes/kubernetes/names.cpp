#include "src/runtimes/kubernetes/names.hpp"

#include <algorithm>
#include <cctype>

#include "src/base/hash.hpp"

namespace atq::kubernetes {
namespace {

/// Leaves "-w" and "-9999" to a DNS label of 63, and some to spare.
constexpr size_t kMaxRunName = 50;
constexpr size_t kHashDigits = 10;
constexpr size_t kMaxLabel = 63;

bool is_alnum(char sign) { return std::isalnum(static_cast<unsigned char>(sign)) != 0; }

void trim(std::string& text) {
  while (!text.empty() && !is_alnum(text.back())) text.pop_back();
  size_t skip = 0;
  while (skip < text.size() && !is_alnum(text[skip])) ++skip;
  text.erase(0, skip);
}

}  // namespace

std::string_view to_string(Part part) noexcept {
  switch (part) {
    case Part::Network:
      return "network";
    case Part::Worker:
      return "worker";
    case Part::Probe:
      return "probe";
    case Part::Master:
      return "master";
  }
  return "";
}

std::optional<Part> part_from(std::string_view text) noexcept {
  for (const Part part : {Part::Network, Part::Worker, Part::Probe, Part::Master}) {
    if (text == to_string(part)) return part;
  }
  return std::nullopt;
}

std::string run_name(const core::RunId& run, std::string_view loadtest) {
  const std::string number = std::to_string(run.number);
  const std::string hash = to_hex(fnv1a(run.uid + "/" + number)).substr(0, kHashDigits);
  const std::string tail = "-" + number + "-" + hash;
  std::string prefix;
  for (const char sign : loadtest) {
    prefix +=
        is_alnum(sign) ? static_cast<char>(std::tolower(static_cast<unsigned char>(sign))) : '-';
  }
  trim(prefix);
  // A Service's name begins with a letter (RFC 1035).
  if (prefix.empty() || std::isdigit(static_cast<unsigned char>(prefix.front())) != 0) {
    prefix.insert(0, "t-");
  }
  prefix.resize(std::min(prefix.size(), kMaxRunName - tail.size()));
  trim(prefix);
  return prefix + tail;
}

std::string object_name(std::string_view run_name, Part part) {
  std::string name(run_name);
  switch (part) {
    case Part::Network:
      break;
    case Part::Worker:
      name += "-w";
      break;
    case Part::Probe:
      name += "-p";
      break;
    case Part::Master:
      name += "-m";
      break;
  }
  return name;
}

std::string label_value(std::string_view text) {
  std::string value;
  for (const char sign : text.substr(0, kMaxLabel)) {
    const bool allowed = is_alnum(sign) || sign == '-' || sign == '_' || sign == '.';
    value += allowed ? sign : '-';
  }
  trim(value);
  return value;
}

std::map<std::string, std::string> labels_of(const core::RunId& run, std::string_view loadtest,
                                             Part part) {
  return {{std::string(kManagedBy), std::string(kManager)},
          {std::string(kLoadTestLabel), label_value(loadtest)},
          {std::string(kUidLabel), label_value(run.uid)},
          {std::string(kRunLabel), std::to_string(run.number)},
          {std::string(kRunIdLabel), run_name(run, loadtest)},
          {std::string(kRoleLabel), std::string(to_string(part))}};
}

}  // namespace atq::kubernetes
