// The director's configuration file, and the words of its flags.
#include "controller/app/config.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace atq;
  const auto text = fuzz::text_of(data, size);
  if (const auto config = app::parse_config(text)) {
    (void)app::check_config(*config);
  } else {
    fuzz::check(!config.error().message.empty(), "an error says what is wrong");
  }
  app::Config config;
  const bool store = app::set_store(config, text).has_value();
  fuzz::check(store || config == app::Config{}, "a refused store changes nothing");
  const bool runtime = app::add_runtime(config, text).has_value();
  fuzz::check(runtime == !config.runtimes.empty(), "a runtime is added or refused");
  if (app::check_config(config)) {
    fuzz::check(store && runtime && !config.store_type.empty(), "a good configuration is whole");
  }
  return 0;
}
