#include "src/stores/kube_crd/kube_store.hpp"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "src/kube/objects.hpp"
#include "src/kube/reflector.hpp"
#include "src/stores/kube_crd/merge.hpp"
#include "src/stores/kube_crd/objects.hpp"

namespace atq::stores::kube {

namespace asio = boost::asio;
using atq::kube::Json;

namespace {

/// From a watch of objects to its part of the merged truth.
class Feed final : public atq::kube::ObjectSink {
 public:
  Feed(Merge& merge, size_t number, const std::function<void(const std::string&)>& note)
      : merge_(merge), number_(number), note_(note) {}

  void replace_begin() override { merge_.replace_begin(number_); }
  void replace_add(Json object) override {
    if (auto test = read(std::move(object))) {
      merge_.replace_add(number_, std::move(*test));
    }
  }
  void replace_end() override { merge_.replace_end(number_); }
  void upsert(Json object) override {
    if (auto test = read(std::move(object))) {
      merge_.upsert(number_, std::move(*test));
    }
  }
  void remove(Json last_known) override {
    if (const auto test = read(std::move(last_known))) {
      merge_.remove(number_, api::key_of(test->test), test->test.metadata.uid);
    }
  }

 private:
  std::optional<ports::StoredTest> read(Json object) const {
    auto test = read_test(std::move(object));
    if (!test && note_) {
      note_("skipped a LoadTest without name, namespace, uid or version");
    }
    return test;
  }

  Merge& merge_;
  size_t number_;
  const std::function<void(const std::string&)>& note_;
};

Error explain(Error error, const std::string& ns) {
  const std::string where = ns.empty() ? "the cluster" : "namespace " + ns;
  if (error.kind == ErrorKind::NotFound) {
    error.message +=
        ": the kind LoadTest is not installed; kubectl apply --server-side -f "
        "crd/loadtests.atq.dev.yaml";
  } else if (error.kind == ErrorKind::Forbidden) {
    error.message += ": this account needs list and watch on loadtests.atq.dev in " + where;
  }
  return error;
}

Result<ports::StoredTest> read_answer(Result<Json> answer) {
  if (!answer) {
    return std::unexpected(answer.error());
  }
  auto test = read_test(std::move(*answer));
  if (!test) {
    return fail(ErrorKind::Unavailable, "the API server's answer is no LoadTest");
  }
  return std::move(*test);
}

}  // namespace

struct KubeStore::Impl {
  Impl(asio::io_context& context, atq::kube::Client& the_client, Options the_options)
      : io(context),
        client(the_client),
        options(std::move(the_options)),
        changed(io, asio::steady_timer::time_point::max()) {
    std::ranges::sort(options.namespaces);
    const auto twice = std::ranges::unique(options.namespaces);
    options.namespaces.erase(twice.begin(), twice.end());
  }

  Task<void> follow(size_t number);
  void end_watches();
  Result<void> check() const;
  bool is_watched(const std::string& ns) const {
    return options.namespaces.empty() || std::ranges::binary_search(options.namespaces, ns);
  }
  /// Invalid may mean that the object is another's: a look tells.
  AsyncResult<void> check_owner(api::Key key, std::string uid, Error error);

  asio::io_context& io;
  atq::kube::Client& client;
  Options options;
  asio::steady_timer changed;  // never expires; cancelling it is the wake-up
  std::vector<std::unique_ptr<atq::kube::Reflector>> reflectors;
  size_t running = 0;
  std::optional<Error> error;  // the first that ended a watch
  bool stopped = false;
};

// ---- watch -----------------------------------------------------------------------------------

Task<void> KubeStore::Impl::follow(size_t number) {
  auto following = reflectors[number]->run();
  auto result = co_await std::move(following);
  if (!result && !error && !stopped) {
    error = explain(result.error(), options.namespaces.empty() ? "" : options.namespaces[number]);
  }
  end_watches();  // one that has ended ends all: a part of the truth is none
}

void KubeStore::Impl::end_watches() {
  for (const auto& reflector : reflectors) {
    reflector->stop();
  }
}

Result<void> KubeStore::Impl::check() const {
  if (stopped) {
    return fail(ErrorKind::Canceled, "the store is stopped");
  }
  return {};
}

AsyncResult<void> KubeStore::watch(ports::StoreSink& sink) {
  Impl& impl = *impl_;
  if (auto live = impl.check(); !live) {
    co_return live;
  }
  const std::vector<std::string> all = {""};
  const auto& namespaces = impl.options.namespaces.empty() ? all : impl.options.namespaces;
  Merge merge(sink, namespaces.size());
  std::vector<std::unique_ptr<Feed>> feeds;
  for (const std::string& ns : namespaces) {
    feeds.push_back(std::make_unique<Feed>(merge, feeds.size(), impl.options.note));
    atq::kube::ListWatch what{.resource = kLoadTests, .ns = ns};
    impl.reflectors.push_back(std::make_unique<atq::kube::Reflector>(
        impl.io.get_executor(), impl.client, std::move(what), *feeds.back(), impl.options.note,
        impl.options.seed + feeds.size()));
  }
  impl.running = feeds.size();
  for (size_t i = 0; i < feeds.size(); ++i) {
    asio::co_spawn(impl.io, impl.follow(i), [&impl](const std::exception_ptr& thrown) {
      if (thrown && !impl.error) {
        impl.error = Error{ErrorKind::Internal, "a watch of LoadTests threw", std::nullopt};
        impl.end_watches();
      }
      --impl.running;
      impl.changed.cancel();
    });
  }
  while (impl.running > 0) {
    boost::system::error_code ignored;
    co_await impl.changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  impl.reflectors.clear();
  if (impl.error) {
    co_return std::unexpected(*impl.error);
  }
  co_return fail(ErrorKind::Canceled, "the store is stopped");
}

// ---- calls -----------------------------------------------------------------------------------

AsyncResult<ports::StoredTest> KubeStore::get(const api::Key& key) {
  if (auto live = impl_->check(); !live) {
    co_return std::unexpected(live.error());
  }
  auto reading = atq::kube::get_object(impl_->client, kLoadTests, key.ns, key.name);
  auto answer = co_await std::move(reading);
  co_return read_answer(std::move(answer));
}

AsyncResult<ports::StoredTest> KubeStore::create(const api::LoadTest& test) {
  if (auto live = impl_->check(); !live) {
    co_return std::unexpected(live.error());
  }
  if (!impl_->is_watched(test.metadata.ns)) {
    co_return fail(ErrorKind::Invalid, "metadata.namespace: found " + test.metadata.ns +
                                           ", which this director does not watch");
  }
  auto creating =
      atq::kube::create_object(impl_->client, kLoadTests, test.metadata.ns, new_object(test));
  auto answer = co_await std::move(creating);
  co_return read_answer(std::move(answer));
}

AsyncResult<ports::StoredTest> KubeStore::replace(const api::LoadTest& test) {
  if (auto live = impl_->check(); !live) {
    co_return std::unexpected(live.error());
  }
  auto patching =
      atq::kube::patch_object(impl_->client, kLoadTests, test.metadata.ns, test.metadata.name, "",
                              spec_patch(test), atq::kube::kJsonPatch);
  auto answer = co_await std::move(patching);
  co_return read_answer(std::move(answer));
}

AsyncResult<void> KubeStore::remove(const api::Key& key, const std::string& uid) {
  if (auto live = impl_->check(); !live) {
    co_return live;
  }
  atq::kube::DeleteOptions options;
  options.uid = uid;
  auto deleting = atq::kube::delete_object(impl_->client, kLoadTests, key.ns, key.name, options);
  auto result = co_await std::move(deleting);
  co_return result;
}

AsyncResult<void> KubeStore::Impl::check_owner(api::Key key, std::string uid, Error given) {
  auto reading = atq::kube::get_object(client, kLoadTests, key.ns, key.name);
  auto answer = co_await std::move(reading);
  if (!answer) {
    co_return std::unexpected(answer.error());
  }
  const auto live = read_test(std::move(*answer));
  if (live && live->test.metadata.uid != uid) {
    co_return fail(ErrorKind::Conflict, api::to_string(key) + " is another object by now");
  }
  co_return std::unexpected(std::move(given));
}

AsyncResult<std::string> KubeStore::update_status(const api::Key& key, const std::string& uid,
                                                  const std::string& resource_version,
                                                  const api::LoadTestStatus& status) {
  if (auto live = impl_->check(); !live) {
    co_return std::unexpected(live.error());
  }
  auto patching =
      atq::kube::patch_object(impl_->client, kLoadTests, key.ns, key.name, "status",
                              status_patch(uid, resource_version, status), atq::kube::kJsonPatch);
  auto answer = co_await std::move(patching);
  if (!answer && answer.error().kind == ErrorKind::Invalid) {
    auto checking = impl_->check_owner(key, uid, answer.error());
    const auto checked = co_await std::move(checking);
    co_return std::unexpected(checked.error());
  }
  if (!answer) {
    co_return std::unexpected(answer.error());
  }
  std::string version = version_of(*answer);
  if (version.empty()) {
    co_return fail(ErrorKind::Unavailable, "the API server's answer has no resourceVersion");
  }
  co_return version;
}

AsyncResult<ports::StoredTest> KubeStore::annotate(const api::Key& key,
                                                   const ports::AnnotationPatch& patch) {
  if (auto live = impl_->check(); !live) {
    co_return std::unexpected(live.error());
  }
  auto patching = atq::kube::patch_object(impl_->client, kLoadTests, key.ns, key.name, "",
                                          annotation_patch(patch), atq::kube::kMergePatch);
  auto answer = co_await std::move(patching);
  co_return read_answer(std::move(answer));
}

AsyncResult<void> KubeStore::finalize(const api::Key&, const std::string&) {
  co_return Result<void>{};  // there is no finalizer to take away
}

// ---- the rest --------------------------------------------------------------------------------

KubeStore::KubeStore(asio::io_context& io, atq::kube::Client& client, Options options)
    : impl_(std::make_unique<Impl>(io, client, std::move(options))) {}

KubeStore::~KubeStore() = default;

core::Capabilities KubeStore::capabilities() const {
  return {.finalizers = false, .garbage_collection = true, .runtime_name = ""};
}

void KubeStore::stop() {
  impl_->stopped = true;
  impl_->end_watches();
}

Result<std::filesystem::path> KubeStore::local_file(const api::Key&, const std::string& path) {
  return fail(ErrorKind::Unavailable,
              "found the file path " + path +
                  ", but a cluster has no such folder: put the file into a ConfigMap and name it "
                  "with files: [{configMap: {name: …}}]");
}

}  // namespace atq::stores::kube
