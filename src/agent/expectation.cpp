#include "src/agent/expectation.hpp"

#include <cstring>

#include <re2/re2.h>

#include "src/agent/output.hpp"
#include "src/base/text.hpp"

namespace atq::agent {
namespace {

constexpr size_t kShownBytes = 200;

std::string shown(std::string_view text) {
  const std::string line = last_line(text);
  return line.empty() ? std::string("(empty)") : line;
}

}  // namespace

Result<std::shared_ptr<const re2::RE2>> compile_pattern(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(8 << 20);
  auto compiled = std::make_shared<const RE2>(pattern, options);
  if (!compiled->ok()) {
    return fail(ErrorKind::Invalid,
                "\"" + pattern + "\" is no regular expression (RE2): " + compiled->error());
  }
  return compiled;
}

bool matches(const re2::RE2& pattern, std::string_view text) {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

Result<Check> prepare_check(const ProbeTarget& target) {
  Check check{target, nullptr};
  if (target.expect.empty()) return check;
  auto pattern = compile_pattern(target.expect);
  if (!pattern) return fail_with("check " + target.name, pattern.error());
  check.expect = *std::move(pattern);
  return check;
}

std::string describe(const ProbeTarget& target) {
  if (target.kind == "exec") return "exec " + target.command.front();
  const bool six = target.host.find(':') != std::string::npos;
  std::string text = target.kind + " " + (six ? "[" + target.host + "]" : target.host);
  if (target.port != 0) text += ":" + std::to_string(target.port);
  return text;
}

std::string judge_http(const Check& check, int status, std::string_view body) {
  const int expected = check.target.status;
  const bool good = expected == 0 ? status >= 200 && status < 400 : status == expected;
  if (!good) {
    return "http " + std::to_string(status) + ", expected " +
           (expected == 0 ? "200 to 399" : std::to_string(expected));
  }
  if (!check.expect || matches(*check.expect, body)) return {};
  return "http " + std::to_string(status) + ", but the body does not match /" +
         check.target.expect + "/: " + shown(body);
}

std::string judge_udp(const Check& check, std::string_view answer) {
  if (!check.expect || matches(*check.expect, answer)) return {};
  return "the answer does not match /" + check.target.expect + "/: " + shown(answer);
}

std::string judge_exec(const Check& check, int exit_code, int signal, std::string_view output) {
  const std::string last = last_line(output);
  const std::string tail = last.empty() ? "" : ": " + last;
  if (signal != 0) {
    return "killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")" + tail;
  }
  if (exit_code != check.target.exit_code) {
    return "exit code " + std::to_string(exit_code) + ", expected " +
           std::to_string(check.target.exit_code) + tail;
  }
  if (!check.expect || matches(*check.expect, output)) return {};
  return "the output does not match /" + check.target.expect + "/: " + shown(output);
}

std::string last_line(std::string_view output) {
  LastLines lines;
  LineSplitter splitter([&](std::string_view line) { lines.add(line); });
  splitter.feed(output);
  splitter.finish();
  const auto all = lines.lines();
  return all.empty() ? std::string{} : truncate(all.back(), kShownBytes);
}

}  // namespace atq::agent
