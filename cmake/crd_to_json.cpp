// Build step: the openAPIV3Schema of the CRD (argv[1]) as compact JSON without descriptions into
// argv[2], so that no program parses YAML to know the schema.

#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace {

using nlohmann::json;

json scalar(const YAML::Node& node) {
  const auto& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  int64_t number = 0;
  if (YAML::convert<int64_t>::decode(node, number)) return number;
  return text;
}

json convert(const YAML::Node& node) {
  if (node.IsScalar()) return scalar(node);
  if (node.IsSequence()) {
    json list = json::array();
    for (const auto& item : node) list.push_back(convert(item));
    return list;
  }
  json object = json::object();
  for (const auto& entry : node) {
    const auto& name = entry.first.Scalar();
    const bool is_text = name == "description" && entry.second.IsScalar();
    if (!is_text) object[name] = convert(entry.second);
  }
  return object;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: atq_crd_to_json CRD.yaml OUT.json\n";
    return 2;
  }
  try {
    const auto crd = YAML::LoadFile(argv[1]);
    const auto schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    std::ofstream out(argv[2], std::ios::binary);
    out << convert(schema).dump();
    out.flush();
    return out ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << argv[1] << ": " << error.what() << "\n";
    return 1;
  }
}
