#include <algorithm>

#include "controller/core/statement.hpp"
#include "src/base/hash.hpp"
#include "src/proc/files.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/networks.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace {

uint64_t seed_of(const core::RunId& id) { return fnv1a(id.uid + "/" + std::to_string(id.number)); }

/// Neighbouring ports that must be free beside an allocated one: JMeter's master listens on its
/// client port and the two above it.
constexpr uint16_t kWorkerWidth = 1;
constexpr uint16_t kMasterWidth = 3;
uint16_t width_of(core::Role role) {
  return role == core::Role::Master ? kMasterWidth : kWorkerWidth;
}

proc::Transport transport_of(bool udp) { return udp ? proc::Transport::Udp : proc::Transport::Tcp; }

Result<void> check_limits(const api::RoleSpec& role) {
  for (const char* name : {"memory", "cpu"}) {
    const auto limit = role.resources.limits.find(name);
    if (limit == role.resources.limits.end()) continue;
    const auto quantity = proc::parse_quantity_millis(limit->second);
    if (!quantity) return fail_with(std::string("limit of ") + name, quantity.error());
  }
  return {};
}

Result<void> check_start(const ports::RunStart& start) {
  if (!is_safe_name(start.id.uid) || start.id.number < 1) {
    return fail(ErrorKind::Invalid, "no run can be named by this uid and number");
  }
  if (auto supported = check_supported(*start.frozen); !supported) return supported;
  if (start.frozen->spec.process.network_namespace) {
    if (auto allowed = proc::check_network_namespaces(); !allowed) return allowed;
  }
  if (auto limits = check_limits(start.frozen->spec.worker.role); !limits) return limits;
  if (start.frozen->spec.master) return check_limits(*start.frozen->spec.master);
  return {};
}

/// False where another director has routed one of these addresses into a namespace.
bool all_ours(const proc::AddressRange& range) {
  for (uint32_t i = 0; i < range.count; ++i) {
    if (!proc::can_bind(range.first + i, 0, proc::Transport::Tcp, false)) return false;
  }
  return true;
}

}  // namespace

AsyncResult<void> ProcessRuntime::Impl::begin(ports::RunStart start) {
  const Busy busy(*this);
  if (stopping_) co_return fail(ErrorKind::Canceled, "the process runtime is stopping");
  if (auto fine = check_start(start); !fine) co_return fine;
  if (const auto known = find(start.id)) {
    // Waits for a begin of the same run that is under way.
    const auto pass = co_await Turnstile::enter(known->turnstile);
    if (find(start.id) == known) co_return Result<void>();
    co_return fail(ErrorKind::Conflict,
                   "the run was being begun and failed, or removed; try again");
  }
  const auto run = std::make_shared<RunEntry>(loop_);
  run->record.id = start.id;
  run->record.key = start.key;
  run->folder = folder_of(options_.data_dir, start.id);
  run->frozen = start.frozen;
  run->frozen_seen = start.frozen;
  if (auto placed = assign_places(*run, *start.frozen); !placed) co_return placed;
  runs_[start.id.uid][start.id.number] = run;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  auto record = run->record;
  record.frozen = api::encode_frozen(*start.frozen);
  const auto folder = run->folder;
  const auto files = std::move(start.files);
  const auto data = options_.data_dir;
  const auto hub = hub_of(block_);
  auto work = [folder, record, files, data, hub]() -> Result<void> {
    if (auto made = proc::make_folders(folder.root); !made) return made;
    auto placed = place_files(folder, files, record.master.has_value());
    if (!placed) return placed;
    if (record.network_namespaces) {
      // Before the record: what a crash leaves here belongs to no run and is swept.
      auto made = proc::make_network_namespaces(networks_of(data, record), hub);
      if (!made) return made;
    }
    auto done =
        proc::write_atomic(folder.record(), encode(record), proc::Durability::Durable, 0600);
    if (!done) {
      [[maybe_unused]] const auto removed = remove_networks(data, record.id);
      return done;
    }
    // The folders above need no sync of their own. They were made before the run's folder, whose
    // sync brings them along wherever metadata is journaled in order (ext4, XFS, Btrfs, F2FS, ZFS).
    // Should one be lost all the same, it was by a power failure, which also ended every process of
    // the run: the begin then counts as never made, and no worker of it lives to be started twice.
    return {};
  };
  auto written = co_await proc::offload(pool_, work);
  if (!written) {
    free_places(*run);
    runs_[start.id.uid].erase(start.id.number);
    co_return written;
  }
  changed(*run);
  co_return Result<void>();
}

Result<void> ProcessRuntime::Impl::assign_places(RunEntry& run, const api::FrozenSpec& frozen) {
  const auto& spec = frozen.spec;
  const auto workers = static_cast<uint32_t>(spec.worker.replicas);
  const uint32_t count = workers + (spec.master ? 1 : 0);
  const uint64_t seed = seed_of(run.record.id);
  // In a namespace of its own every port of a replica is free.
  run.record.network_namespaces = spec.process.network_namespace;
  run.record.allocated_ports = frozen.allocate_ports && !run.record.network_namespaces;
  const bool own_ports = run.record.allocated_ports || run.record.network_namespaces;
  int refused = 0;
  const auto range = addresses_.reserve(seed, count, [&](const proc::AddressRange& candidate) {
    constexpr int kEnough = 16;
    if (refused >= kEnough || !all_ours(candidate)) return false;
    const bool fits = own_ports || usable(frozen, candidate);
    if (!fits) ++refused;
    return fits;
  });
  if (!range && refused > 0) {
    return fail(ErrorKind::Unavailable,
                "a declared port is in use on this machine's loopback addresses by a program bound "
                "to the wildcard; stop it or declare another port");
  }
  if (!range) return std::unexpected(range.error());
  run.addresses = *range;
  for (uint32_t i = 0; i < count; ++i) {
    const bool master = i == workers;
    const auto role = master ? core::Role::Master : core::Role::Worker;
    auto place = make_place(run, master ? *spec.master : spec.worker.role, role, range->first + i,
                            seed + uint64_t{i} * 16);
    if (!place) {
      free_places(run);
      return std::unexpected(place.error());
    }
    if (master) {
      run.record.master = std::move(*place);
      run.master.emplace(ReplicaEntry{.role = role});
    } else {
      run.record.workers.push_back(std::move(*place));
      run.workers.push_back(ReplicaEntry{.role = role, .index = static_cast<int>(i)});
    }
  }
  return {};
}

Result<Place> ProcessRuntime::Impl::make_place(const RunEntry& run, const api::RoleSpec& role,
                                               core::Role kind, uint32_t address, uint64_t seed) {
  Place place;
  place.address = proc::format_ipv4(address);
  for (const auto& port : role.ports) {
    PortPlace made{.name = port.name,
                   .declared = port.port,
                   .actual = port.port,
                   .udp = port.protocol == api::Protocol::Udp};
    if (run.record.allocated_ports) {
      const auto free = ports_.reserve(seed, width_of(kind), address, transport_of(made.udp));
      if (!free) {
        for (const auto& taken : place.ports) {
          ports_.release(static_cast<uint16_t>(taken.actual), width_of(kind));
        }
        return std::unexpected(free.error());
      }
      made.actual = *free;
    }
    place.ports.push_back(std::move(made));
  }
  return place;
}

bool ProcessRuntime::Impl::usable(const api::FrozenSpec& frozen,
                                  const proc::AddressRange& range) const {
  const auto workers = static_cast<uint32_t>(frozen.spec.worker.replicas);
  for (uint32_t i = 0; i < range.count; ++i) {
    const auto& role = i == workers ? *frozen.spec.master : frozen.spec.worker.role;
    for (const auto& port : role.ports) {
      const auto transport = transport_of(port.protocol == api::Protocol::Udp);
      if (!proc::can_bind(range.first + i, static_cast<uint16_t>(port.port), transport, false)) {
        return false;
      }
    }
  }
  return true;
}

void ProcessRuntime::Impl::keep_places(RunEntry& run) {
  const auto& record = run.record;
  const auto& first = record.workers.empty() ? record.master->address : record.workers[0].address;
  const auto address = proc::parse_ipv4(first);
  if (!address) return;
  run.addresses = {*address,
                   static_cast<uint32_t>(record.workers.size()) + (record.master ? 1U : 0U)};
  addresses_.adopt(run.addresses);
  if (!record.allocated_ports) return;
  const auto keep = [this](const Place& place, core::Role role) {
    for (const auto& port : place.ports) {
      ports_.adopt(static_cast<uint16_t>(port.actual), width_of(role));
    }
  };
  for (const auto& place : record.workers) keep(place, core::Role::Worker);
  if (record.master) keep(*record.master, core::Role::Master);
}

void ProcessRuntime::Impl::free_places(RunEntry& run) {
  if (run.addresses.count == 0) return;
  addresses_.release(run.addresses);
  run.addresses = {};
  if (!run.record.allocated_ports) return;
  const auto free = [this](const Place& place, core::Role role) {
    for (const auto& port : place.ports) {
      ports_.release(static_cast<uint16_t>(port.actual), width_of(role));
    }
  };
  for (const auto& place : run.record.workers) free(place, core::Role::Worker);
  if (run.record.master) free(*run.record.master, core::Role::Master);
}

AsyncResult<void> ProcessRuntime::Impl::collect(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  if (run->collected) co_return Result<void>();
  const auto frozen = frozen_of(*run);
  if (!frozen) co_return std::unexpected(frozen.error());
  const auto pattern = (*frozen)->closing.pattern;
  const auto folder = run->folder;
  const bool masterless = !run->record.master.has_value();
  const size_t workers = run->workers.size();
  using Read = Result<std::optional<core::Statement>>;
  auto work = [=]() -> Read {
    constexpr size_t kTail = 256 * 1024;
    std::vector<core::Statement> statements;
    for (size_t i = 0; i < (masterless ? workers : 1); ++i) {
      const auto role = masterless ? core::Role::Worker : core::Role::Master;
      const auto output = read_output(folder.replica(role, static_cast<int>(i)), kTail);
      if (auto one = core::read_statement(output, pattern)) statements.push_back(*one);
    }
    auto statement = core::sum(statements);
    auto written = proc::write_atomic(folder.collected(), encode(statement));
    if (!written) return std::unexpected(written.error());
    return statement;
  };
  auto read = co_await proc::offload(pool_, work);
  if (!read) co_return std::unexpected(read.error());
  run->statement = std::move(*read);
  run->collected = true;
  changed(*run);
  co_return Result<void>();
}

AsyncResult<void> ProcessRuntime::Impl::remove(core::RunId id) {
  const Busy busy(*this);
  if (!is_safe_name(id.uid)) co_return fail(ErrorKind::Invalid, "no run has this uid");
  const RunPtr run = find(id);
  std::optional<Turnstile::Pass> pass;
  std::vector<std::string> cgroups;
  bool lively = run == nullptr;
  std::shared_ptr<std::vector<proc::UniqueFd>> ended;
  if (run) {
    auto entered = co_await Turnstile::enter(run->turnstile);
    pass.emplace(std::move(entered));
    if (run->removed) co_return Result<void>();
    const auto frozen = frozen_of(*run);
    lively = !run->all_over() || run->prober.process;
    ended = kill_everything(*run);
    for (const auto role : {core::Role::Worker, core::Role::Master}) {
      for (auto* replica : run->replicas(role)) {
        unwatch(*replica);
        const auto name = cgroup_of(*run, *replica, frozen ? frozen->get() : nullptr);
        if (!name.empty()) cgroups.push_back(name);
      }
    }
  }
  const auto data = options_.data_dir;
  const auto folder = folder_of(data, id);
  const auto groups = cgroups.empty() ? proc::Cgroups() : this->cgroups();
  auto work = [=]() -> Result<void> {
    if (ended) wait_for_end(*ended);
    if (lively) kill_run(folder.root);
    for (const auto& name : cgroups) groups.remove(name);
    if (auto removed = remove_networks(data, id); !removed) return removed;
    // Without its record the rest is an orphan that the next start sweeps.
    std::error_code error;
    std::filesystem::remove(folder.record(), error);
    if (auto removed = proc::remove_tree(folder.root); !removed) return removed;
    std::filesystem::remove(folder.root.parent_path(), error);  // fails where other runs are left
    return {};
  };
  auto done = co_await proc::offload(pool_, work);
  if (!done) co_return done;
  if (run) {
    run->removed = true;
    free_places(*run);
    const auto uid = runs_.find(id.uid);
    if (uid != runs_.end()) {
      uid->second.erase(id.number);
      if (uid->second.empty()) runs_.erase(uid);
    }
    changed(*run);
  }
  co_return Result<void>();
}

}  // namespace atq::process
