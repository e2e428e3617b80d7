#include <nlohmann/json.hpp>

#include "controller/api/decode.hpp"
#include "controller/api/encode.hpp"
#include "controller/api/json_reader.hpp"
#include "controller/api/profile_codec.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

void write_codes(JsonWriter& writer, std::string_view key, const std::vector<int>& codes) {
  writer.raw(key, json(codes).dump());
}

}  // namespace

ClosingStatement decode_closing(const json& object) {
  ClosingStatement closing;
  read(object, "pattern", closing.pattern);
  read(object, "passedExitCodes", closing.passed_exit_codes);
  read(object, "failedExitCodes", closing.failed_exit_codes);
  read(object, "failuresFail", closing.failures_fail);
  return closing;
}

StopSignal decode_stop(const json& object) {
  StopSignal stop;
  read(object, "udpPort", stop.udp_port);
  read(object, "graceful", stop.graceful);
  read(object, "now", stop.now);
  return stop;
}

std::vector<Diagnosis> decode_diagnoses(const json& owner, const char* key) {
  std::vector<Diagnosis> diagnoses;
  for_each_object(owner, key, [&](const json& item) {
    Diagnosis& diagnosis = diagnoses.emplace_back();
    read(item, "pattern", diagnosis.pattern);
    read(item, "message", diagnosis.message);
  });
  return diagnoses;
}

void write_closing(JsonWriter& writer, const ClosingStatement& closing) {
  writer.open("closing");
  writer.text("pattern", closing.pattern);
  write_codes(writer, "passedExitCodes", closing.passed_exit_codes);
  write_codes(writer, "failedExitCodes", closing.failed_exit_codes);
  writer.flag("failuresFail", closing.failures_fail);
  writer.close_keep();
}

void write_stop(JsonWriter& writer, std::string_view key, const StopSignal& stop) {
  const auto mark = writer.open(key);
  writer.text("udpPort", stop.udp_port);
  writer.text("graceful", stop.graceful);
  writer.text("now", stop.now);
  writer.close(mark);
}

void write_diagnoses(JsonWriter& writer, std::string_view key,
                     const std::vector<Diagnosis>& diagnoses) {
  const auto mark = writer.open(key, '[');
  for (const Diagnosis& diagnosis : diagnoses) {
    writer.element();
    writer.always_text("pattern", diagnosis.pattern);
    writer.always_text("message", diagnosis.message);
    writer.close_keep();
  }
  writer.close(mark, ']');
}

std::string encode_frozen(const FrozenSpec& frozen) {
  std::string out;
  out.reserve(8192);
  JsonWriter writer(out);
  writer.element();
  writer.open("spec");
  write_spec(writer, frozen.spec);
  writer.close_keep();
  write_closing(writer, frozen.closing);
  write_stop(writer, "workerStop", frozen.worker_stop);
  write_stop(writer, "masterStop", frozen.master_stop);
  write_diagnoses(writer, "workerDiagnoses", frozen.worker_diagnoses);
  write_diagnoses(writer, "masterDiagnoses", frozen.master_diagnoses);
  writer.text("plan", frozen.plan);
  writer.flag("workersExitAlone", frozen.workers_exit_alone);
  writer.always_number("masterEndsWithinSeconds", frozen.master_ends_within_seconds);
  writer.flag("allocatePorts", frozen.allocate_ports);
  writer.close_keep();
  return out;
}

Result<FrozenSpec> decode_frozen(std::string_view text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto* spec = document.is_discarded() ? nullptr : member(document, "spec");
  if (!spec || !spec->is_object()) {
    return fail(ErrorKind::Invalid,
                "frozen spec: found no JSON object with a spec, expected what was written at the "
                "start of the run");
  }
  FrozenSpec frozen;
  frozen.spec = decode_spec_object(*spec);
  if (const auto* closing = member(document, "closing")) frozen.closing = decode_closing(*closing);
  if (const auto* stop = member(document, "workerStop")) frozen.worker_stop = decode_stop(*stop);
  if (const auto* stop = member(document, "masterStop")) frozen.master_stop = decode_stop(*stop);
  frozen.worker_diagnoses = decode_diagnoses(document, "workerDiagnoses");
  frozen.master_diagnoses = decode_diagnoses(document, "masterDiagnoses");
  read(document, "plan", frozen.plan);
  read(document, "workersExitAlone", frozen.workers_exit_alone);
  read(document, "masterEndsWithinSeconds", frozen.master_ends_within_seconds);
  read(document, "allocatePorts", frozen.allocate_ports);
  return frozen;
}

}  // namespace atq::api
