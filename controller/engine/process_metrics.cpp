#include "controller/engine/process_metrics.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace atq::engine {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

/// Fields of /proc/self/stat from the third on (state = 0); the second may hold anything in
/// parentheses.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const size_t end = text.rfind(')');
  std::vector<std::string> fields;
  if (end != std::string::npos) {
    std::istringstream rest(text.substr(end + 1));
    for (std::string field; rest >> field;) {
      fields.push_back(field);
    }
  }
  return fields;
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) {
      return std::stod(line.substr(6));
    }
  }
  return std::nullopt;
}

std::optional<double> open_files() {
  std::error_code error;
  std::filesystem::directory_iterator it("/proc/self/fd", error);
  double count = -1;  // without the iterator's own
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return error ? std::nullopt : std::optional(count);
}

}  // namespace

std::vector<MetricFamily> collect_process_metrics() {
  std::vector<MetricFamily> families;
  const auto gauge = [&](const char* name, const char* help, double value) {
    families.push_back(family(name, help, MetricType::Gauge, value));
  };
  constexpr size_t kUserTicks = 11, kSystemTicks = 12, kStart = 19, kVirtual = 20, kResident = 21;
  const auto fields = stat_fields();
  if (fields.size() > kResident) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const double cpu = (std::stod(fields[kUserTicks]) + std::stod(fields[kSystemTicks])) / ticks;
    families.push_back(family("process_cpu_seconds_total",
                              "Total user and system CPU time spent in seconds.",
                              MetricType::Counter, cpu));
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
          std::stod(fields[kResident]) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.",
          std::stod(fields[kVirtual]));
    if (const auto boot = boot_time()) {
      gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
            *boot + std::stod(fields[kStart]) / ticks);
    }
  }
  if (const auto open = open_files()) {
    gauge("process_open_fds", "Number of open file descriptors.", *open);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    gauge("process_max_fds", "Maximum number of open file descriptors.",
          static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace atq::engine
