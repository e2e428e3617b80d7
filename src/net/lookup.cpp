#include "src/net/lookup.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <netdb.h>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::net {
namespace {

namespace asio = boost::asio;

/// A name server that is silent holds a thread for up to half a minute; who asks again and again
/// must not collect them.
constexpr int kMaxThreads = 16;
std::atomic<int> running_threads = 0;

/// A place among kMaxThreads.
class Slot {
 public:
  static std::optional<Slot> take() {
    if (running_threads.fetch_add(1) >= kMaxThreads) {
      running_threads.fetch_sub(1);
      return std::nullopt;
    }
    return Slot();
  }
  Slot(Slot&& other) noexcept : held_(std::exchange(other.held_, false)) {}
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  Slot& operator=(Slot&&) = delete;
  ~Slot() {
    if (held_) {
      running_threads.fetch_sub(1);
    }
  }

 private:
  Slot() = default;
  bool held_ = true;
};

Error describe(int code, const std::string& host) {
  if (code == EAI_SYSTEM) {
    return from_errno(errno, "look up " + host);
  }
  const bool unknown = code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY;
  return {unknown ? ErrorKind::NotFound : ErrorKind::Unavailable,
          "look up " + host + ": " + ::gai_strerror(code), std::nullopt};
}

}  // namespace

Result<Addresses> find_addresses(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    return std::unexpected(describe(code, host));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  Addresses out;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0 &&
        std::ranges::find(out, text.data()) == out.end()) {
      out.emplace_back(text.data());
    }
  }
  return out;
}

/// What thread and owner share. The thread delivers under the mutex, so that once the owner has
/// taken `deliver` away, nothing of the executor is touched any more.
struct Lookup::Mailbox {
  std::mutex mutex;
  std::function<void(Result<Addresses>)> deliver;
};

Lookup::Lookup(const asio::any_io_executor& executor)
    : done_(executor), mailbox_(std::make_shared<Mailbox>()) {
  done_.expires_at(asio::steady_timer::time_point::max());
}

Lookup::~Lookup() {
  const std::lock_guard lock(mailbox_->mutex);
  mailbox_->deliver = nullptr;
}

Task<Result<Addresses>> Lookup::run(std::string host, FindAddresses find) {
  const auto self = shared_from_this();
  auto slot = Slot::take();
  if (!slot) {
    co_return fail(ErrorKind::Unavailable,
                   "look up " + host + ": the name server has not answered " +
                       std::to_string(kMaxThreads) + " earlier questions yet");
  }
  mailbox_->deliver = [executor = done_.get_executor(),
                       weak = weak_from_this()](Result<Addresses> found) {
    asio::post(executor, [weak, found = std::move(found)]() mutable {
      if (const auto lookup = weak.lock()) {
        lookup->finish(std::move(found));
      }
    });
  };
  try {
    std::thread([mailbox = mailbox_, place = std::move(*slot), host, find = std::move(find)] {
      auto found = find(host);
      const std::lock_guard lock(mailbox->mutex);
      if (mailbox->deliver) {
        mailbox->deliver(std::move(found));
      }
    }).detach();
  } catch (const std::system_error& error) {
    co_return fail(ErrorKind::Unavailable, "look up " + host + ": " + error.what());
  }
  while (!finished_) {
    boost::system::error_code ignored;
    co_await done_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return std::move(found_);
}

void Lookup::finish(Result<Addresses> found) {
  if (!std::exchange(finished_, true)) {
    found_ = std::move(found);
    done_.cancel();
  }
}

void Lookup::cancel() { finish(fail(ErrorKind::Canceled, "look-up stopped")); }

}  // namespace atq::net
