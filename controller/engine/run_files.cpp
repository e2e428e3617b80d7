// Gathering the files of a run.
#include <set>

#include "controller/engine/executor.hpp"

namespace atq::engine {

namespace {

using core::Role;

class Gatherer {
 public:
  Gatherer(ports::Store& store, const api::Key& key, const core::Capabilities& runtime)
      : store_(store),
        key_(key),
        config_maps_(runtime.config_maps),
        runtime_(runtime.runtime_name) {}

  Result<void> add(const std::vector<api::FileSource>& sources, std::optional<Role> role) {
    for (const api::FileSource& source : sources) {
      if (auto added = add(source, role); !added) {
        return added;
      }
    }
    return {};
  }
  std::vector<ports::RunFile> take() { return std::move(files_); }

 private:
  Result<void> add(const api::FileSource& source, std::optional<Role> role) {
    for (const auto& [name, content] : source.inline_files) {
      if (auto claimed = claim(name, role); !claimed) {
        return claimed;
      }
      files_.push_back({.role = role, .name = name, .content = content, .local_path = {}});
    }
    if (!source.path.empty()) {
      return add_local(source.path, role);
    }
    if (!config_maps_ && !source.config_map.empty()) {
      return foreign("configMap", source.config_map, "runtime " + runtime_);
    }
    if (!config_maps_ && !source.secret.empty()) {
      return foreign("secret", source.secret, "runtime " + runtime_);
    }
    if (!source.databind.empty()) {
      return foreign("databind", source.databind, "store " + store_.name());
    }
    return {};
  }

  static Result<void> foreign(const char* kind, const std::string& name, const std::string& who) {
    return fail(ErrorKind::Invalid, std::string("files: found ") + kind + " " + name +
                                        ", but the " + who + " has none; use inline or path");
  }

  Result<void> add_local(const std::string& path, std::optional<Role> role) {
    auto local = store_.local_file(key_, path);
    if (!local) {
      return fail_with("files: path " + path, std::move(local.error()));
    }
    std::string name = std::filesystem::path(path).filename().string();
    if (auto claimed = claim(name, role); !claimed) {
      return claimed;
    }
    files_.push_back(
        {.role = role, .name = std::move(name), .content = "", .local_path = std::move(*local)});
    return {};
  }

  /// One name means one file in the folder of a role.
  Result<void> claim(const std::string& name, std::optional<Role> role) {
    for (const Role each : {Role::Worker, Role::Master}) {
      if ((!role || *role == each) && !names_.emplace(each, name).second) {
        return fail(ErrorKind::Invalid, "files: " + name + " is given twice for the " +
                                            std::string(core::to_string(each)));
      }
    }
    return {};
  }

  ports::Store& store_;
  const api::Key& key_;
  const bool config_maps_;
  const std::string runtime_;
  std::vector<ports::RunFile> files_;
  std::set<std::pair<Role, std::string>> names_;
};

}  // namespace

Result<std::vector<ports::RunFile>> gather_files(ports::Store& store, const api::Key& key,
                                                 const api::LoadTestSpec& spec,
                                                 const core::Capabilities& runtime) {
  Gatherer gatherer(store, key, runtime);
  if (auto added = gatherer.add(spec.files, std::nullopt); !added) {
    return std::unexpected(added.error());
  }
  if (auto added = gatherer.add(spec.worker.role.files, Role::Worker); !added) {
    return std::unexpected(added.error());
  }
  if (spec.master) {
    if (auto added = gatherer.add(spec.master->files, Role::Master); !added) {
      return std::unexpected(added.error());
    }
  }
  return gatherer.take();
}

}  // namespace atq::engine
