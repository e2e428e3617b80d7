#include "controller/engine/admission.hpp"

#include <algorithm>
#include <limits>

namespace atq::engine {

Admission::Admission(std::map<std::string, int> limits, int other)
    : limits_(std::move(limits)), other_(other) {}

int Admission::limit_of(const std::string& runtime) const {
  const auto it = limits_.find(runtime);
  const int limit = it == limits_.end() ? other_ : it->second;
  return limit > 0 ? limit : std::numeric_limits<int>::max();
}

core::AdmissionTicket Admission::ticket(const WorkItem& item, const std::string& runtime) const {
  const int limit = limit_of(runtime);
  core::AdmissionTicket ticket{.granted = false, .position = 0, .running = 0, .limit = 0};
  if (limit != std::numeric_limits<int>::max()) {
    ticket.limit = limit;
  }
  const auto line = lines_.find(runtime);
  if (line == lines_.end()) {
    ticket.granted = true;
    return ticket;
  }
  const auto& [waiting, running] = line->second;
  ticket.running = running;
  const auto record = records_.find(item);
  const bool known = record != records_.end() && record->second.runtime == runtime;
  if (known && record->second.holds) {
    ticket.granted = true;
    return ticket;
  }
  const auto place = known
                         ? std::ranges::lower_bound(waiting, Place{record->second.queued_at, item})
                         : waiting.end();
  const int position = static_cast<int>(place - waiting.begin()) + 1;
  ticket.granted = position <= limit - running;
  ticket.position = ticket.granted ? 0 : position;
  return ticket;
}

void Admission::seed(const WorkItem& item, const std::string& runtime,
                     const api::LoadTestStatus& status) {
  const api::RunStatus& run = status.run;
  const bool holds = run.number > 0 && !run.finished_at;
  // The queueing time of a finished run is older than that run's end.
  const bool waits = !holds && run.queued_at &&
                     !(run.number > 0 && run.finished_at && *run.queued_at < *run.finished_at);
  update(item, runtime, waits, holds, run.queued_at.value_or(TimePoint{}));
}

bool Admission::update(const WorkItem& item, const std::string& runtime, bool wants, bool holds,
                       TimePoint queued_at) {
  queued_at = std::chrono::floor<std::chrono::milliseconds>(queued_at);
  const auto it = records_.find(item);
  const bool known = it != records_.end();
  if (known && it->second.runtime == runtime && it->second.holds == holds &&
      (holds || (wants && it->second.queued_at == queued_at))) {
    return false;
  }
  forget(item);
  if (wants || holds) {
    insert(item, {.runtime = runtime, .holds = holds, .queued_at = queued_at});
  }
  return known;
}

void Admission::insert(const WorkItem& item, Record record) {
  Line& line = lines_[record.runtime];
  if (record.holds) {
    ++line.running;
  } else {
    Place place{record.queued_at, item};
    const auto at = std::ranges::lower_bound(line.waiting, place);
    line.waiting.insert(at, std::move(place));
  }
  records_.emplace(item, std::move(record));
}

void Admission::forget(const WorkItem& item) {
  const auto node = records_.extract(item);
  if (!node) {
    return;
  }
  const Record& record = node.mapped();
  Line& line = lines_[record.runtime];
  if (record.holds) {
    --line.running;
    return;
  }
  const Place place{record.queued_at, item};
  const auto at = std::ranges::lower_bound(line.waiting, place);
  if (at != line.waiting.end() && *at == place) {
    line.waiting.erase(at);
  }
}

void Admission::rename(const WorkItem& from, const WorkItem& to) {
  const auto it = records_.find(from);
  if (it == records_.end()) {
    return;
  }
  Record record = it->second;
  forget(from);
  if (record.holds) {
    insert(to, std::move(record));
  }
}

std::vector<WorkItem> Admission::admissible(const std::string& runtime) const {
  std::vector<WorkItem> items = waiting(runtime);
  const int places = std::max(0, limit_of(runtime) - running(runtime));
  if (items.size() > static_cast<size_t>(places)) {
    items.resize(static_cast<size_t>(places));
  }
  return items;
}

std::vector<WorkItem> Admission::waiting(const std::string& runtime) const {
  std::vector<WorkItem> items;
  if (const auto it = lines_.find(runtime); it != lines_.end()) {
    for (const Place& place : it->second.waiting) {
      items.push_back(place.item);
    }
  }
  return items;
}

int Admission::running(const std::string& runtime) const {
  const auto it = lines_.find(runtime);
  return it == lines_.end() ? 0 : it->second.running;
}

std::string Admission::runtime_of(const WorkItem& item) const {
  const auto it = records_.find(item);
  return it == records_.end() ? std::string() : it->second.runtime;
}

}  // namespace atq::engine
