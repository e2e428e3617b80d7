#include "src/stores/directory/options.hpp"

namespace atq::stores::directory {

Options resolve_options(Options options) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(fs::absolute(options.source), error);
  const bool is_file =
      fs::exists(absolute, error) ? !fs::is_directory(absolute, error) : absolute.has_extension();
  options.root = (is_file ? absolute.parent_path() : absolute).string();
  options.only = is_file ? absolute.filename().string() : std::string();
  // A trailing slash would give an empty file name.
  if (options.root.size() > 1 && options.root.ends_with('/')) options.root.pop_back();
  options.data_dir = fs::weakly_canonical(fs::absolute(options.data), error).string();
  return options;
}

}  // namespace atq::stores::directory
