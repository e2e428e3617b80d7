// Lists and watches of an API server: bodies in any pieces, and any order of events.
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "src/kube/frames.hpp"
#include "src/kube/ingest.hpp"
#include "src/kube/resource_version.hpp"
#include "src/kube/status.hpp"
#include "src/kube/watch_machine.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

namespace {

using namespace atq;
using namespace atq::kube;

constexpr size_t kMaxFrame = 512;

struct Bytes {
  const unsigned char* at;
  const unsigned char* end;
  bool empty() const { return at == end; }
  unsigned take() { return empty() ? 0 : *at++; }
};

/// In pieces of `step`; what came before the first error.
template <class Splitter>
std::vector<std::string> split(Splitter& splitter, std::string_view text, size_t step) {
  std::vector<std::string> frames;
  const FrameSink sink = [&frames](std::string_view frame) {
    fuzz::check(frame.size() <= kMaxFrame, "no frame is larger than allowed");
    frames.emplace_back(frame);
    return true;
  };
  for (size_t at = 0; at < text.size(); at += step) {
    if (!splitter.feed(text.substr(at, step), sink)) {
      break;
    }
  }
  return frames;
}

void check_lines(std::string_view text, size_t step) {
  LineSplitter whole(kMaxFrame);
  LineSplitter pieces(kMaxFrame);
  const auto frames = split(whole, text, text.size());
  fuzz::check(frames == split(pieces, text, step), "pieces give the same events");
  fuzz::check(whole.has_rest() == pieces.has_rest(), "pieces give the same rest");
  for (const std::string& frame : frames) {
    nlohmann::json object;
    const auto line = parse_watch_line(frame, kPods, object);
    if (line && line->type == "ERROR") {
      (void)error_of_event(frame);
    }
  }
  (void)error_of(500, text);
}

void check_items(std::string_view text, size_t step) {
  ItemSplitter whole(kMaxFrame, kMaxFrame);
  ItemSplitter pieces(kMaxFrame, kMaxFrame);
  const auto items = split(whole, text, text.size());
  fuzz::check(items == split(pieces, text, step), "pieces give the same items");
  fuzz::check(whole.complete() == pieces.complete(), "pieces are as complete");
  if (!whole.complete() || !nlohmann::json::accept(text)) {
    return;
  }
  fuzz::check(nlohmann::json::accept(whole.envelope()), "a list without its items is JSON");
  for (const std::string& item : items) {
    auto object = nlohmann::json::parse(item, nullptr, false);
    fuzz::check(object.is_object(), "an item of a list is an object");
    (void)trim_object(object, kPods);
  }
  (void)parse_page_head(whole.envelope());
}

class MachineFuzz {
 public:
  explicit MachineFuzz(Bytes bytes) : bytes_(bytes), machine_((bytes_.take() & 1) != 0) {}

  void run() {
    while (!bytes_.empty()) {
      const unsigned op = bytes_.take();
      if ((op & 0x80) != 0) {
        report(op);  // whatever is under way: every order of reports must be survived
      } else {
        ask();
        report(op);
      }
    }
  }

 private:
  void ask() {
    const double random = static_cast<double>(bytes_.take()) / 256;
    auto step = machine_.next(random, now_);
    if (const auto* wait = std::get_if<WaitStep>(&step)) {
      fuzz::check(wait->time > Duration::zero(), "a wait takes time");
      fuzz::check(wait->time <= std::chrono::minutes{5}, "a wait is bounded");
      now_ += wait->time;
      step = machine_.next(random, now_);
      fuzz::check(!std::holds_alternative<WaitStep>(step), "no wait follows a wait");
    }
    if (const auto* list = std::get_if<ListStep>(&step)) {
      fuzz::check(list->first == list->token.empty(), "only a token makes a later page");
      fuzz::check(list->limit == 0 || list->version.empty() || list->version == "0",
                  "no limit together with a version");
      replaced_ = true;
    } else if (const auto* watch = std::get_if<WatchStep>(&step)) {
      fuzz::check(watch->initial_events || machine_.synced(), "a list comes before a watch");
      replaced_ = watch->initial_events;
    } else {
      fuzz::check(!machine_.synced(), "nothing is final after the first list");
    }
  }

  void report(unsigned op) {
    static constexpr std::string_view kTypes[] = {"ADDED",    "MODIFIED", "DELETED",
                                                  "BOOKMARK", "ERROR",    "OTHER"};
    const std::string version = number();
    switch (op % 8) {
      case 0:
        machine_.on_page(version, (bytes_.take() & 3) != 0 ? "" : "token");
        break;
      case 1:
        machine_.on_list_error(error());
        break;
      case 2:
        machine_.on_stream_end({}, Duration(bytes_.take() * 100'000));
        break;
      case 3:
        machine_.on_stream_end(std::unexpected(error()), Duration{0});
        break;
      default: {
        const std::string before = machine_.version();
        const auto effect = machine_.on_event({.type = kTypes[bytes_.take() % 6],
                                               .version = version,
                                               .initial_events_end = (op & 0x40) != 0});
        const auto order = compare_versions(machine_.version(), before);
        fuzz::check(replaced_ || !order || *order >= 0, "no version goes back without a list");
        if (effect == EventEffect::EndStream) {
          machine_.on_error_event(error());
        }
      }
    }
  }

  std::string number() {
    const unsigned byte = bytes_.take();
    return byte == 255 ? "" : byte == 254 ? "x" : std::to_string(byte);
  }

  Error error() {
    const unsigned byte = bytes_.take();
    Error made{static_cast<ErrorKind>(byte % 11), "told so", std::nullopt};
    if ((byte & 0x80) != 0) {
      made.retry_after = std::chrono::seconds(byte * 10);
    }
    if ((byte & 0x40) != 0) {
      made = {ErrorKind::Timeout, "(504 ResourceVersionTooLarge)", std::nullopt};
    }
    return made;
  }

  Bytes bytes_;
  WatchMachine machine_;
  Duration now_{0};
  bool replaced_ = false;
};

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size < 2) {
    return 0;
  }
  const auto text = fuzz::text_of(data + 2, size - 2);
  const size_t step = 1 + data[1] % 32;
  switch (data[0] % 3) {
    case 0:
      check_lines(text, step);
      break;
    case 1:
      check_items(text, step);
      break;
    default:
      MachineFuzz({data + 2, data + size}).run();
  }
  return 0;
}
