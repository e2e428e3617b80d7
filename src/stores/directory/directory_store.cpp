#include "src/stores/directory/directory_store.hpp"

#include <fcntl.h>
#include <functional>
#include <malloc.h>
#include <sys/stat.h>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/stores/directory/catalog.hpp"
#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {

namespace asio = boost::asio;

/// What the watching coroutine needs to know after a job.
struct Step {
  int hint_fd = -1;
  SteadyTime due{};
  bool scan = false;
  bool more = false;  ///< of the list
};

class DirectoryStore::Impl {
 public:
  Impl(asio::any_io_executor engine, const ports::Clock& clock, Options options)
      : engine_(std::move(engine)),
        clock_(clock),
        options_(resolve_options(std::move(options))),
        catalog_(options_),
        wake_(engine_),
        hints_(engine_) {}

  ~Impl() {
    if (hints_.is_open()) hints_.release();  // the catalog's
    pool_.join();
  }

  /// Runs `job` on the state thread and comes back with its result, after the sink was told of
  /// what the job changed.
  template <class T>
  AsyncResult<T> call(std::function<Result<T>(Catalog&)> job) {
    if (stopping_) co_return fail(ErrorKind::Canceled, "the store is stopped");
    Result<T> result =
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<T>)>(
            [this](auto handler, std::function<Result<T>(Catalog&)> work) {
              asio::post(state_, [this, now = clock_.now(), work = std::move(work),
                                  guard = asio::make_work_guard(engine_),
                                  handler = std::move(handler)]() mutable {
                catalog_.set_now(now);
                Result<T> made = with_loaded<T>(work);
                asio::post(engine_, [this, handler = std::move(handler), made = std::move(made),
                                     changes = catalog_.take_changes()]() mutable {
                  deliver(std::move(changes));
                  handler(std::move(made));
                });
              });
            },
            asio::use_awaitable, std::move(job));
    co_return result;
  }

  Task<Scan> look() {
    Scan scan = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Scan)>(
        [this](auto handler) {
          asio::post(pool_, [this, guard = asio::make_work_guard(engine_),
                             handler = std::move(handler)]() mutable {
            Scan made = Catalog::look(options_);
            asio::post(engine_, [handler = std::move(handler), made = std::move(made)]() mutable {
              handler(std::move(made));
            });
          });
        },
        asio::use_awaitable);
    co_return scan;
  }

  AsyncResult<void> watch(ports::StoreSink& sink) {
    if (sink_ != nullptr) co_return fail(ErrorKind::Conflict, "the store is watched already");
    sink_ = &sink;
    // Each job has a name: GCC 12 destroys a temporary of a co_await's arguments twice.
    Job begin = [](Catalog& catalog) -> Result<Step> {
      catalog.begin_listing();
      return step_of(catalog, false, true);
    };
    Result<Step> step = co_await call<Step>(std::move(begin));
    while (step && step->more && !stopping_) {
      Job list = [](Catalog& catalog) -> Result<Step> {
        const bool more = catalog.list_some();
        return step_of(catalog, false, more);
      };
      step = co_await call<Step>(std::move(list));
    }
    while (step && !stopping_) {
      co_await wait(*step);
      if (stopping_) break;
      Job advance = [](Catalog& catalog) -> Result<Step> {
        return step_of(catalog, catalog.advance());
      };
      step = co_await call<Step>(std::move(advance));
      if (!step || !step->scan || stopping_) continue;
      auto scan = std::make_shared<Scan>();
      *scan = co_await look();
      Job absorb = [scan = std::move(scan)](Catalog& catalog) -> Result<Step> {
        catalog.absorb(*scan);
        return step_of(catalog, false);
      };
      step = co_await call<Step>(std::move(absorb));
    }
    co_await leave();
    sink_ = nullptr;
    if (!step) co_return std::unexpected(step.error());
    co_return fail(ErrorKind::Canceled, "the store is stopped");
  }

  void stop() {
    stopping_ = true;
    wake_.cancel();
  }

  Result<std::filesystem::path> local_file(const api::Key& key, const std::string& path) const;

 private:
  using Job = std::function<Result<Step>(Catalog&)>;

  template <class T>
  Result<T> with_loaded(const std::function<Result<T>(Catalog&)>& work) {
    if (auto loaded = catalog_.load(); !loaded) return std::unexpected(loaded.error());
    return work(catalog_);
  }

  static Step step_of(const Catalog& catalog, bool scan, bool more = false) {
    return {catalog.hint_fd(), catalog.next_due(), scan, more};
  }

  void deliver(Changes changes) {
    if (sink_ == nullptr) return;
    if (changes.list_begins) sink_->replace_begin();
    for (auto& test : changes.listed) sink_->replace_add(std::move(test));
    listed_ += changes.listed.size();
    if (changes.list_ends) {
      sink_->replace_end();
      // What was read and decoded at the start goes back to the system.
      constexpr size_t kMany = 500;
      if (std::exchange(listed_, 0) > kMany) ::malloc_trim(0);
    }
    for (auto& change : changes.each) {
      if (auto* test = std::get_if<ports::StoredTest>(&change)) {
        sink_->upsert(std::move(*test));
      } else {
        const auto& gone = std::get<Gone>(change);
        sink_->remove(gone.key, gone.uid);
      }
    }
    if (changes.problems) sink_->problems(std::move(*changes.problems));
  }

  /// Until there are hints, something is due or the store is stopped.
  Task<void> wait(const Step& step) {
    if (!hints_.is_open() && step.hint_fd >= 0) hints_.assign(step.hint_fd);
    if (hints_.is_open() && !listening_) {
      listening_ = true;
      hints_.async_wait(asio::posix::descriptor_base::wait_read,
                        [this](const boost::system::error_code&) {
                          listening_ = false;
                          hinted_ = true;
                          wake_.cancel();
                        });
    }
    wake_.expires_at(step.due);
    if (!hinted_ && !stopping_) {
      boost::system::error_code ignored;
      co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    hinted_ = false;
  }

  /// Ends listening; returns when its handler has run.
  Task<void> leave() {
    if (listening_) hints_.cancel();
    while (listening_) {
      wake_.expires_at(SteadyTime::max());
      boost::system::error_code ignored;
      co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (hints_.is_open()) hints_.release();
  }

  asio::any_io_executor engine_;
  const ports::Clock& clock_;
  const Options options_;
  Catalog catalog_;
  asio::steady_timer wake_;
  asio::posix::stream_descriptor hints_;
  ports::StoreSink* sink_ = nullptr;
  size_t listed_ = 0;
  bool listening_ = false;
  bool hinted_ = false;
  bool stopping_ = false;
  asio::thread_pool pool_{2};  // one for the state, one for looking at the folder
  asio::strand<asio::thread_pool::executor_type> state_{pool_.get_executor()};
};

Result<std::filesystem::path> DirectoryStore::Impl::local_file(const api::Key& key,
                                                               const std::string& path) const {
  const auto source = catalog_.source_of(key);
  if (!source) return std::unexpected(source.error());
  const std::string below = folder_of(*source);
  const std::string folder = below.empty() ? options_.root : options_.root + "/" + below;
  return find_beneath(folder, path);
}

DirectoryStore::DirectoryStore(asio::any_io_executor engine, const ports::Clock& clock,
                               Options options)
    : impl_(std::make_unique<Impl>(std::move(engine), clock, std::move(options))) {}

DirectoryStore::~DirectoryStore() = default;

core::Capabilities DirectoryStore::capabilities() const {
  return {.finalizers = true, .garbage_collection = false, .runtime_name = {}};
}

AsyncResult<void> DirectoryStore::watch(ports::StoreSink& sink) { return impl_->watch(sink); }

void DirectoryStore::stop() { impl_->stop(); }

AsyncResult<ports::StoredTest> DirectoryStore::get(const api::Key& key) {
  return impl_->call<ports::StoredTest>([key](Catalog& catalog) { return catalog.get(key); });
}

AsyncResult<ports::StoredTest> DirectoryStore::create(const api::LoadTest& test) {
  return impl_->call<ports::StoredTest>([test](Catalog& catalog) { return catalog.create(test); });
}

AsyncResult<ports::StoredTest> DirectoryStore::replace(const api::LoadTest& test) {
  return impl_->call<ports::StoredTest>([test](Catalog& catalog) { return catalog.replace(test); });
}

AsyncResult<void> DirectoryStore::remove(const api::Key& key, const std::string& uid) {
  return impl_->call<void>([key, uid](Catalog& catalog) { return catalog.remove(key, uid); });
}

AsyncResult<std::string> DirectoryStore::update_status(const api::Key& key, const std::string& uid,
                                                       const std::string& resource_version,
                                                       const api::LoadTestStatus& status) {
  return impl_->call<std::string>(
      [=](Catalog& catalog) { return catalog.update_status(key, uid, resource_version, status); });
}

AsyncResult<ports::StoredTest> DirectoryStore::annotate(const api::Key& key,
                                                        const ports::AnnotationPatch& patch) {
  return impl_->call<ports::StoredTest>(
      [key, patch](Catalog& catalog) { return catalog.annotate(key, patch); });
}

AsyncResult<void> DirectoryStore::finalize(const api::Key& key, const std::string& uid) {
  return impl_->call<void>([key, uid](Catalog& catalog) { return catalog.finalize(key, uid); });
}

Result<std::filesystem::path> DirectoryStore::local_file(const api::Key& key,
                                                         const std::string& path) {
  return impl_->local_file(key, path);
}

}  // namespace atq::stores::directory
