#include "tests/fakes/kube/sim_cluster.hpp"

#include <algorithm>
#include <memory>

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

namespace atq::fakes::kube {
namespace {

constexpr char kIndex[] = "batch.kubernetes.io/job-completion-index";
constexpr char kTime[] = "2026-11-25T12:00:00Z";

std::string text(const Json& json, const char* pointer) {
  const Json::json_pointer path(pointer);
  return json.contains(path) && json[path].is_string() ? json[path].get<std::string>() : "";
}

int index_of(const Json& pod) {
  return std::stoi(pod["metadata"]["annotations"].value(kIndex, "0"));
}

std::string phase_of(const Json& pod) { return text(pod, "/status/phase"); }

bool is_over(const Json& pod) { return phase_of(pod) == "Succeeded" || phase_of(pod) == "Failed"; }

const Json& main_of(const Json& pod) { return pod["spec"]["containers"][0]; }

bool has_word(const Json& pod, const std::string& word) {
  const Json& command = main_of(pod)["command"];
  return std::find(command.begin(), command.end(), word) != command.end();
}

std::string last_word(const Json& pod) { return main_of(pod)["command"].back(); }

std::string ranges(const std::map<int, int>& exits, bool failed) {
  std::string out;
  for (const auto& [index, code] : exits) {
    if ((code != 0) != failed) continue;
    out += (out.empty() ? "" : ",") + std::to_string(index);
  }
  return out;
}

}  // namespace

SimCluster::SimCluster(boost::asio::io_context& loop, FakeApi& api) : loop_(loop), api_(api) {
  api_.on_write([this](const Change&) {
    if (scheduled_ || settling_) return;
    scheduled_ = true;
    boost::asio::post(loop_, [this] {
      scheduled_ = false;
      settle();
    });
  });
}

void SimCluster::settle() {
  if (settling_) return;
  settling_ = true;
  while (step()) {
  }
  settling_ = false;
}

bool SimCluster::step() {
  for (const Json& job : api_.all(atq::kube::kJobs)) {
    if (step_job(job)) return true;
  }
  for (const Json& pod : api_.all(atq::kube::kPods)) {
    if (step_pod(pod)) return true;
  }
  return false;
}

std::vector<Json> SimCluster::pods_of(const Json& job) const {
  std::vector<Json> pods;
  for (Json& pod : api_.all(atq::kube::kPods)) {
    if (text(pod, "/metadata/ownerReferences/0/uid") == text(job, "/metadata/uid")) {
      pods.push_back(std::move(pod));
    }
  }
  return pods;
}

bool SimCluster::step_job(const Json& job) {
  JobSeen& seen = jobs_[text(job, "/metadata/uid")];
  if (job["spec"].value("suspend", false)) return end_pods(job, seen) || count(job, seen);
  return create_pods(job, seen) || count(job, seen);
}

bool SimCluster::create_pods(const Json& job, JobSeen& seen) {
  for (int i = 0; i < job["spec"]["completions"].get<int>(); ++i) {
    if (!seen.given.insert(i).second) continue;
    const std::string name = text(job, "/metadata/name");
    Json pod = job["spec"]["template"];
    pod["metadata"]["name"] = name + "-" + std::to_string(i) + "-sim";
    pod["metadata"]["annotations"][kIndex] = std::to_string(i);
    pod["metadata"]["labels"][kIndex] = std::to_string(i);
    pod["metadata"]["ownerReferences"] = {{{"apiVersion", "batch/v1"},
                                           {"kind", "Job"},
                                           {"name", name},
                                           {"uid", job["metadata"]["uid"]},
                                           {"controller", true}}};
    pod["status"] = {{"phase", "Pending"}};
    api_.put(atq::kube::kPods, text(job, "/metadata/namespace"), std::move(pod));
    return true;
  }
  return false;
}

bool SimCluster::end_pods(const Json& job, JobSeen& seen) {
  for (const Json& pod : pods_of(job)) {
    if (is_over(pod)) continue;
    const std::string ns = text(pod, "/metadata/namespace"), name = text(pod, "/metadata/name");
    if (phase_of(pod) == "Running") end_pod(pod, 143, 15, "");
    seen.given.erase(index_of(pod));  // another one would come, were the Job resumed
    api_.erase(atq::kube::kPods, ns, name);
    return true;
  }
  return false;
}

bool SimCluster::count(const Json& job, JobSeen& seen) {
  const bool suspended = job["spec"].value("suspend", false);
  std::set<int> present;
  for (const Json& pod : pods_of(job)) {
    present.insert(index_of(pod));
    if (is_over(pod)) seen.exits[index_of(pod)] = phase_of(pod) == "Failed" ? 1 : 0;
  }
  for (const int index : seen.given) {
    if (!present.contains(index)) seen.exits.try_emplace(index, 1);
  }
  Json status = {{"completedIndexes", ranges(seen.exits, false)},
                 {"failedIndexes", ranges(seen.exits, true)},
                 {"conditions", Json::array()}};
  if (suspended) status["conditions"].push_back({{"type", "Suspended"}, {"status", "True"}});
  if (static_cast<int>(seen.exits.size()) == job["spec"]["completions"].get<int>()) {
    const bool failed = !ranges(seen.exits, true).empty();
    status["conditions"].push_back({{"type", failed ? "Failed" : "Complete"},
                                    {"status", "True"},
                                    {"reason", "FailedIndexes"}});
  }
  if (job.contains("status") && job["status"] == status) return false;
  Json change = {{"metadata", {{"name", job["metadata"]["name"]}}}, {"status", status}};
  const auto before = text(job, "/metadata/resourceVersion");
  const Json after =
      api_.put(atq::kube::kJobs, text(job, "/metadata/namespace"), std::move(change));
  return text(after, "/metadata/resourceVersion") != before;
}

bool SimCluster::step_pod(const Json& pod) {
  if (is_over(pod)) return false;
  if (phase_of(pod) == "Pending") {
    if (held_) return false;
    run_pod(pod);
    return true;
  }
  if (has_word(pod, "probe")) {
    const auto& annotations = pod["metadata"]["annotations"];
    std::string log;
    for (const Json& target : Json::parse(annotations["atq.dev/checks-0"].get<std::string>())) {
      log += Json{{"name", target["name"]},
                  {"worker", target.value("worker", 0)},
                  {"passed", true},
                  {"tries", 1},
                  {"error", ""},
                  {"atUs", 1}}
                 .dump() +
             "\n";
    }
    end_pod(pod, 0, 0, log);
    return true;
  }
  if (has_word(pod, "start")) {
    end_pod(pod, 0, 0,
            R"({"skewUs":1200,"started":3,"errors":[]})"
            "\n");
    return true;
  }
  if (!has_started(pod) || last_word(pod) == "forever") return false;
  end_pod(pod, last_word(pod) == "exit3" ? 3 : 0, 0, "requests=120 failures=3 rps=40.5\n");
  return true;
}

bool SimCluster::has_started(const Json& pod) const {
  if (!has_word(pod, "--wait-for-start")) return true;
  for (const Json& other : api_.all(atq::kube::kPods)) {
    const bool starter = text(other, "/metadata/labels/atq.dev~1run-id") ==
                             text(pod, "/metadata/labels/atq.dev~1run-id") &&
                         has_word(other, "start");
    if (starter && phase_of(other) == "Succeeded") return true;
  }
  return false;
}

void SimCluster::run_pod(const Json& pod) {
  Json containers = Json::array();
  for (const Json& container : pod["spec"]["containers"]) {
    containers.push_back({{"name", container["name"]},
                          {"ready", true},
                          {"state", {{"running", {{"startedAt", kTime}}}}}});
  }
  const int number = addresses_++;
  const std::string ip =
      "10.244." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
  Json status = {{"phase", "Running"},
                 {"podIP", ip},
                 {"podIPs", {{{"ip", ip}}}},
                 {"conditions", {{{"type", "PodScheduled"}, {"status", "True"}}}},
                 {"containerStatuses", std::move(containers)}};
  api_.put(atq::kube::kPods, text(pod, "/metadata/namespace"),
           {{"metadata", {{"name", pod["metadata"]["name"]}}}, {"status", std::move(status)}});
}

void SimCluster::end_pod(const Json& pod, int code, int signal, const std::string& log) {
  const std::string ns = text(pod, "/metadata/namespace"), name = text(pod, "/metadata/name");
  const Json record = {{"code", code},      {"signal", signal},    {"error", ""},
                       {"atUs", 1'000'000}, {"ranForUs", 500'000}, {"userUs", 1},
                       {"systemUs", 1},     {"maxRssKib", 1},      {"lastLines", {"the end"}}};
  Json containers = Json::array();
  for (const Json& container : pod["spec"]["containers"]) {
    Json ended = {{"exitCode", code},
                  {"reason", code == 0 ? "Completed" : "Error"},
                  {"startedAt", kTime},
                  {"finishedAt", kTime}};
    if (container["name"] == "main" && !has_word(pod, "start")) ended["message"] = record.dump();
    containers.push_back(
        {{"name", container["name"]}, {"ready", false}, {"state", {{"terminated", ended}}}});
  }
  if (!log.empty()) api_.state().set_log(ns, name, log);
  api_.put(atq::kube::kPods, ns,
           {{"metadata", {{"name", name}}},
            {"status",
             {{"phase", code == 0 ? "Succeeded" : "Failed"},
              {"containerStatuses", std::move(containers)}}}});
}

}  // namespace atq::fakes::kube
