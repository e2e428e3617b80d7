#include <chrono>

#include "controller/api/profile.hpp"
#include "src/cli/api_client.hpp"
#include "src/cli/commands.hpp"

namespace atq::cli {
namespace {

TimePoint wall_clock() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

int say(Console& console, const Error& error) {
  console.err << "atq: " << error.message << "\n";
  return kNotDone;
}

int usage(Console& console, const std::string& message) {
  console.err << "atq: " << message << "\n";
  return kInvalid;
}

TableOptions table_options(const Command& command, const Console& console) {
  return {.namespaces = command.all_namespaces,
          .wide = command.output == "wide",
          .header = true,
          .colour = console.colour,
          .now = wall_clock()};
}

void print_names(const std::vector<Item>& items, bool namespaces, std::ostream& out) {
  for (const Item& item : items) {
    out << (namespaces ? item.test.metadata.ns + "/" : "") << item.test.metadata.name << "\n";
  }
}

void print_documents(const std::vector<Item>& items, bool json, bool list, std::ostream& out) {
  if (json && list) {
    out << R"({"apiVersion": "v1", "kind": "List", "items": [)";
  }
  const char* separator = "";
  for (const Item& item : items) {
    out << separator << (json ? api::encode_pretty_json(item.test) : api::encode_yaml(item.test));
    separator = json ? ",\n" : "---\n";
  }
  out << (json ? list ? "]}\n" : "\n" : "");
}

Result<ListedItems> fetch_items(ApiClient& client, const Command& command) {
  if (command.name.empty()) {
    return client.list(command.all_namespaces ? "" : command.ns);
  }
  if (!command.watch) {
    auto item = client.get({command.ns, command.name});
    if (!item) {
      return std::unexpected(item.error());
    }
    ListedItems one;
    one.items.push_back(*std::move(item));
    return one;
  }
  // The list, as it says where a watch goes on from.
  auto listed = client.list(command.ns);
  if (!listed) {
    return listed;
  }
  std::erase_if(listed->items,
                [&](const Item& item) { return item.test.metadata.name != command.name; });
  if (listed->items.empty()) {
    return fail(ErrorKind::NotFound, "there is no LoadTest " + command.ns + "/" + command.name);
  }
  return listed;
}

int watch_items(ApiClient& client, const Command& command, const std::string& from,
                Console& console) {
  const auto ended = client.watch(
      command.all_namespaces ? "" : command.ns, from, [&](const WatchedChange& change) {
        const auto& metadata = change.item.test.metadata;
        if (!command.name.empty() && metadata.name != command.name) {
          return true;
        }
        TableOptions options = table_options(command, console);
        options.header = false;
        if (change.deleted) {
          console.out << (command.all_namespaces ? metadata.ns + "  " : "") << metadata.name
                      << "  deleted\n";
        } else if (command.output == "name") {
          print_names({change.item}, command.all_namespaces, console.out);
        } else if (command.output == "json" || command.output == "yaml") {
          print_documents({change.item}, command.output == "json", false, console.out);
        } else {
          console.out << render_table({change.item}, options);
        }
        console.out.flush();
        return console.out.good();
      });
  return ended ? kDone : say(console, ended.error());
}

/// The master where the test has one; else the first worker.
Result<LogRequest> choose_log(ApiClient& client, const Command& command) {
  LogRequest request{.key = {command.ns, command.name},
                     .master = command.master,
                     .worker = command.worker.value_or(0),
                     .follow = command.follow,
                     .tail = command.tail,
                     .run = command.run};
  if (command.master || command.worker) {
    return request;
  }
  const auto item = client.get(request.key);
  if (!item) {
    return std::unexpected(item.error());
  }
  request.master = api::resolve(item->test.spec).frozen.spec.master.has_value();
  return request;
}

}  // namespace

int run_get(ApiClient& client, const Command& command, Console& console) {
  if (command.all_namespaces && !command.name.empty()) {
    return usage(console, "give NAME or --all-namespaces, not both");
  }
  const auto listed = fetch_items(client, command);
  if (!listed) {
    return say(console, listed.error());
  }
  if (command.output == "name") {
    print_names(listed->items, command.all_namespaces, console.out);
  } else if (command.output == "json" || command.output == "yaml") {
    print_documents(listed->items, command.output == "json", command.name.empty(), console.out);
  } else {
    const bool all = command.name.empty();
    const auto issues = all ? client.issues() : std::vector<SourceIssue>();
    console.out << render_table(listed->items, table_options(command, console));
    if (listed->items.empty()) {
      console.err << (command.all_namespaces ? "No LoadTests\n"
                                             : "No LoadTests in namespace " + command.ns + "\n");
    }
    console.out << render_issues(listed->items, issues ? *issues : std::vector<SourceIssue>());
  }
  console.out.flush();
  return command.watch ? watch_items(client, command, listed->resource_version, console) : kDone;
}

int run_describe(ApiClient& client, const Command& command, Console& console) {
  const api::Key key{command.ns, command.name};
  const auto item = client.get(key);
  if (!item) {
    return say(console, item.error());
  }
  const auto events = client.events(item->test);
  if (!events) {
    return say(console, events.error());
  }
  console.out << render_describe(*item, *events, wall_clock(), console.colour);
  return kDone;
}

int run_logs(ApiClient& client, const Command& command, Console& console) {
  const auto request = choose_log(client, command);
  if (!request) {
    return say(console, request.error());
  }
  const auto ended = client.logs(*request, [&](std::string_view piece) {
    console.out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    console.out.flush();
    return console.out.good();
  });
  return ended ? kDone : say(console, ended.error());
}

int run_stop(ApiClient& client, const Command& command, Console& console) {
  const auto value = client.stop({command.ns, command.name}, command.now);
  if (!value) {
    return say(console, value.error());
  }
  const std::string run = value->substr(0, value->find('/'));
  console.out << "run " << run << " of " << command.ns << "/" << command.name
              << (command.now ? " is being killed\n" : " is stopping gracefully\n");
  return kDone;
}

int run_rerun(ApiClient& client, const Command& command, Console& console) {
  const auto value = client.rerun({command.ns, command.name});
  if (!value) {
    return say(console, value.error());
  }
  console.out << "one more run of " << command.ns << "/" << command.name << " is asked for\n";
  return kDone;
}

int run_version(ApiClient& client, const Command&, Console& console) {
  console.out << "atq " << ATQ_VERSION << "\n" << client.server() << "\n";
  return kDone;
}

}  // namespace atq::cli
