#pragma once
// Names and labels of what belongs to a run. Pure, and the same in every release: a director finds
// by them what an earlier one created. Bounds:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode (the hostname of
// an Indexed Job's pod is JOB-INDEX and must be a DNS label).

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "controller/api/types.hpp"
#include "controller/core/world.hpp"

namespace atq::kubernetes {

inline constexpr std::string_view kManagedBy = "app.kubernetes.io/managed-by";
inline constexpr std::string_view kManager = "atq-director";
inline constexpr std::string_view kLoadTestLabel = "atq.dev/loadtest";  ///< its name, cut
inline constexpr std::string_view kUidLabel = "atq.dev/uid";            ///< of the LoadTest
inline constexpr std::string_view kRunLabel = "atq.dev/run";            ///< the run's number
inline constexpr std::string_view kRunIdLabel = "atq.dev/run-id";       ///< the Service's name
inline constexpr std::string_view kRoleLabel = "atq.dev/role";
/// Of an Indexed Job's pod, label and annotation.
inline constexpr std::string_view kIndexLabel = "batch.kubernetes.io/job-completion-index";

/// What the API server is asked for: nothing foreign is ever sent to us.
inline constexpr std::string_view kSelector =
    "app.kubernetes.io/managed-by=atq-director,atq.dev/run-id";

/// What a part of a run is for. Network is the Service.
enum class Part { Network, Worker, Probe, Master };
std::string_view to_string(Part part) noexcept;
std::optional<Part> part_from(std::string_view text) noexcept;

/// "checkout-4-9f0c2b7a1e": at most 50 signs, begins with a letter, for LoadTest names up to 253.
std::string run_name(const core::RunId& run, std::string_view loadtest);

/// The object's name: the Service is named as the run, Jobs "…-w", "…-p", "…-m". With an index of
/// up to four digits after it still a DNS label.
std::string object_name(std::string_view run_name, Part part);

/// The text as a label's value: other signs become dashes, at most 63 signs.
std::string label_value(std::string_view text);

std::map<std::string, std::string> labels_of(const core::RunId& run, std::string_view loadtest,
                                             Part part);

}  // namespace atq::kubernetes
