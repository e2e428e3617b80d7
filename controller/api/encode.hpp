#pragma once
// Parts of the encoder that the object, the frozen spec and the profiles share. Each writes one
// member (with its key) into the object that is open.

#include <string_view>
#include <vector>

#include "controller/api/json_writer.hpp"
#include "controller/api/types.hpp"

namespace atq::api {

std::string_view to_string(OnFailure value) noexcept;
std::string_view to_string(CleanupPolicy value) noexcept;
std::string_view to_string(Protocol value) noexcept;

void write_files(JsonWriter& json, const std::vector<FileSource>& files);
void write_ports(JsonWriter& json, const std::vector<Port>& ports);
void write_readiness(JsonWriter& json, const Readiness& readiness);
void write_checks(JsonWriter& json, const std::vector<HealthCheckItem>& checks);

/// The members of a spec, without the braces.
void write_spec(JsonWriter& json, const LoadTestSpec& spec);

}  // namespace atq::api
