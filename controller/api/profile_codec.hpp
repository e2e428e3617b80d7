#pragma once
// Shared by profile.cpp (YAML) and frozen.cpp (JSON): the parts of a profile that a frozen spec
// carries on. Internal to api.

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/json_writer.hpp"
#include "controller/api/profile.hpp"

namespace atq::api {

ClosingStatement decode_closing(const nlohmann::json& object);
StopSignal decode_stop(const nlohmann::json& object);
/// Of the member `key`.
std::vector<Diagnosis> decode_diagnoses(const nlohmann::json& owner, const char* key);

void write_closing(JsonWriter& json, const ClosingStatement& closing);
void write_stop(JsonWriter& json, std::string_view key, const StopSignal& stop);
void write_diagnoses(JsonWriter& json, std::string_view key,
                     const std::vector<Diagnosis>& diagnoses);

}  // namespace atq::api
