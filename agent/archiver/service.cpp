#include "agent/archiver/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "agent/jobs/destinations.h"
#include "agent/postgres/cluster.h"
#include "agent/state/state.h"
#include "common/domain/layout.h"
#include "common/files/files.h"
#include "common/log.h"

namespace backstay::archiver {
namespace {

// Somebody waits for each answer, and asks again by himself.
constexpr Patience kPatience = {5'000, 15'000, 2, 2, 20'000, 200, 1'000};
constexpr std::int64_t kAskMs = 5'000;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// How many pack, and how many unpack.
std::size_t cores() { return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 4); }

// Beside the database as well: an agent that lost it must not begin a second archive, when the first began before it
// was enrolled.
std::string folder_file(const std::string& state_dir, const std::string& system_id) {
    return fmt::format("{}/wal-archives/{}", state_dir, system_id);
}

Result<std::optional<std::string>> remembered_folder(const std::string& state_dir, const std::string& system_id) {
    auto text = read_file(folder_file(state_dir, system_id), 4096);
    if (!text && text.error().code() == Errc::not_found) return std::optional<std::string>();
    if (!text) return std::move(text).error();
    while (text->ends_with('\n')) text->pop_back();
    return std::optional(std::move(*text));
}

Result<> remember_folder(const std::string& state_dir, const WalCluster& cluster) {
    if (TRY(remembered_folder(state_dir, cluster.system_id)) == cluster.folder) return {};
    const std::string file = folder_file(state_dir, cluster.system_id);
    TRY(make_folders(folder_of(file), 0700));
    return atomic_write(file, cluster.folder + "\n", 0600);
}

// By what the agent knows of the archive.
Result<bool> ought_to_be(sqlite::Database& database, const WalCluster& cluster, const wal::WalName& name) {
    WalRepository repository(database);
    if (TRY(repository.is_lacking_somewhere(cluster.system_id, name.text))) return true;
    if (name.kind == wal::NameKind::history) return repository.has_history(cluster.system_id, name.timeline);
    if (name.kind != wal::NameKind::segment) return false;
    const std::uint64_t number = TRY(wal::segment_number(name, cluster.segment_bytes));
    return TRY(repository.segment(cluster.system_id, name.timeline, number)).has_value();
}

}  // namespace

Service::Service(const Settings& settings, std::string organization_id, std::function<void()> on_jump)
    : settings_(settings), organization_id_(std::move(organization_id)), on_jump_(std::move(on_jump)) {}

Service::~Service() { stop(); }

Result<> Service::start() {
    const std::unique_lock life(life_);
    config_ = settings_.config();
    if (config_.wal.empty()) return {};
    recorder_ = std::make_unique<Recorder>(config_.state_dir, settings_.clock(), on_jump_);
    TRY(make_folders(folder_of(config_.wal_socket), 0755));
    std::vector<ClusterWatch::Watched> watched;
    for (const WalConfig& wal : config_.wal) {
        const auto cluster = find_cluster(config_, wal.cluster);
        if (cluster) watched.push_back({*cluster, wal.archive_timeout_s});
    }
    socket_ = TRY(WalSocket::listen(config_.wal_socket, config_.wal_group, [this](SocketCall call) {
                      return serve(std::move(call));
                  }).context("open the WAL socket"));
    watch_ = std::make_unique<ClusterWatch>(
        std::move(watched), [this](const std::string& cluster, const ServerFacts& facts) { learned(cluster, facts); });
    log::info("WAL archiving ready", {{"socket", config_.wal_socket}, {"clusters", config_.wal.size()}});
    return {};
}

void Service::stop() {
    std::unique_ptr<ClusterWatch> watch;
    {
        const std::unique_lock life(life_);
        watch = std::move(watch_);
    }
    watch.reset();
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, entry] : entries_) {
            entry->archiver->end();
            entry->fetcher->end();
        }
    }
    socket_.reset();
    // Threads are waited for while status() still answers.
    std::map<std::string, std::unique_ptr<Entry>> entries;
    std::unique_ptr<Recorder> recorder;
    {
        const std::unique_lock life(life_);
        entries.swap(entries_);
        current_.clear();
        recorder = std::move(recorder_);
    }
    for (auto& [id, entry] : entries) {
        entry->filler.reset();
        entry->fetcher.reset();
        entry->archiver.reset();
    }
}

SocketAnswer Service::serve(SocketCall call) {
    SocketAnswer answer{{hook::Outcome::ok, "", false}, {}};
    const Result<> done = call.request.fetch ? fetch(call, answer.beside) : push(call);
    answer.answer.beside = answer.beside.get() >= 0;
    if (done) return answer;
    if (call.request.fetch && done.error().code() == Errc::not_found) return {{hook::Outcome::none, "", false}, {}};
    std::string message = done.error().message();
    if (!done.error().hint().empty()) message += " (" + done.error().hint() + ")";
    return {{hook::Outcome::failed, message, false}, {}};
}

Result<> Service::push(SocketCall& call) {
    wal::WalName name = TRY(wal::parse_wal_name(call.request.name));
    Entry* entry = TRY(find(call, name));
    PushOrder order;
    order.file = {std::move(name), std::move(call.descriptors.front())};
    for (std::size_t i = 0; i < call.request.ahead.size(); ++i) {
        auto next = wal::parse_wal_name(call.request.ahead[i]);
        if (next) order.ahead.push_back({std::move(*next), std::move(call.descriptors[i + 1])});
    }
    order.ready = std::max<std::uint64_t>(call.request.ready, 1);
    order.free_bytes = call.request.free_bytes;
    order.total_bytes = call.request.total_bytes;
    order.gone = std::move(call.gone);
    return entry->archiver->push(std::move(order));
}

Result<> Service::fetch(SocketCall& call, Fd& beside) {
    FetchOrder order;
    order.name = TRY(wal::parse_wal_name(call.request.name));
    Entry* entry = TRY(find(call, order.name));
    order.user = call.user;
    order.into = std::move(call.descriptors.front());
    for (std::size_t i = 1; i < call.descriptors.size(); ++i) order.spares.push_back(std::move(call.descriptors[i]));
    order.gone = std::move(call.gone);
    beside = TRY(entry->fetcher->fetch(std::move(order)));
    return {};
}

Result<Service::Entry*> Service::find(const SocketCall& call, const wal::WalName& name) {
    std::uint64_t system_id = call.request.system_id;
    std::optional<std::uint64_t> segment_bytes;
    if (!call.request.fetch && name.kind != wal::NameKind::history && name.kind != wal::NameKind::backup_label) {
        std::array<std::byte, 64> beginning{};
        const ssize_t count = ::pread(call.descriptors.front().get(), beginning.data(), beginning.size(), 0);
        const auto page =
            count == static_cast<ssize_t>(beginning.size()) ? wal::read_page_header(beginning) : std::nullopt;
        if (!page || !page->identity) {
            return Error(Errc::corrupted, fmt::format("{} does not begin as a WAL segment does", name.text));
        }
        if (system_id != 0 && system_id != page->identity->system_id) {
            return Error(Errc::conflict, fmt::format("{} is of cluster {}, the data directory of {}", name.text,
                                                     page->identity->system_id, system_id));
        }
        system_id = page->identity->system_id;
        segment_bytes = page->identity->segment_bytes;
    }
    if (system_id != 0) return recognize(fmt::format("{}", system_id), segment_bytes);
    const std::lock_guard lock(mutex_);
    if (entries_.size() == 1) return entries_.begin()->second.get();
    return Error(Errc::invalid, "it cannot be told which cluster that is of: global/pg_control was not found");
}

Result<Service::Entry*> Service::recognize(const std::string& system_id,
                                           const std::optional<std::uint64_t>& segment_bytes) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(system_id);
        if (found != entries_.end()) return found->second.get();
    }
    sqlite::Database database = TRY(open_state(config_.state_dir));
    WalRepository repository(database);
    std::string others;
    for (const WalConfig& wal : config_.wal) {
        const auto server = find_cluster(config_, wal.cluster);
        const auto facts = server ? ask_server(*server, kAskMs, {}) : Result<ServerFacts>(server.error());
        if (facts && facts->system_id == system_id) {
            learned(wal.cluster, *facts);
            const std::lock_guard lock(mutex_);
            const auto found = entries_.find(system_id);
            if (found != entries_.end()) return found->second.get();
        }
        const auto known = TRY(repository.clusters(wal.cluster));
        const auto same =
            std::find_if(known.begin(), known.end(), [&](const WalCluster& one) { return one.system_id == system_id; });
        // The server does not answer (it recovers, perhaps from this very archive): what was known before counts.
        if (!facts && same != known.end()) return entry(wal, *same);
        if (!facts && known.empty() && config_.wal.size() == 1 && segment_bytes) {
            log::warning("WAL of a server that cannot be asked is taken at its word",
                         {{"cluster", wal.cluster}, {"system_id", system_id}, {"error", facts.error().message()}});
            return entry(wal, cluster_of(wal, system_id, *segment_bytes));
        }
        others += fmt::format("{}{} is {}", others.empty() ? "" : ", ", wal.cluster,
                              facts           ? facts->system_id
                              : known.empty() ? "not known"
                                              : known.front().system_id);
    }
    return Error(Errc::conflict,
                 fmt::format("cluster {} is none of those whose WAL is archived here: {}", system_id, others))
        .with_hint("[[wal]] and [[cluster]] of the agent's configuration say which are");
}

WalCluster Service::cluster_of(const WalConfig& config, const std::string& system_id,
                               std::uint64_t segment_bytes) const {
    const TimeMs now = settings_.clock().now_ms();
    return WalCluster{
        system_id, config.cluster, layout::cluster_folder(organization_id_, system_id), segment_bytes, 0, now, now};
}

void Service::learned(const std::string& cluster, const ServerFacts& facts) {
    const WalConfig* wal = find_wal(config_, cluster);
    if (wal == nullptr || !wal::is_segment_size(facts.segment_bytes)) return;
    WalCluster row = cluster_of(*wal, facts.system_id, facts.segment_bytes);
    row.server_version_num = facts.version_num;
    if (const auto made = entry(*wal, std::move(row)); !made) {
        log::error("WAL archive not opened", {{"cluster", cluster}, {"error", made.error().message()}});
    }
}

Result<Service::Entry*> Service::entry(const WalConfig& config, WalCluster cluster) {
    const std::lock_guard lock(mutex_);
    current_[config.cluster] = cluster.system_id;
    const auto found = entries_.find(cluster.system_id);
    if (found != entries_.end()) return found->second.get();
    cluster.folder = TRY(remembered_folder(config_.state_dir, cluster.system_id)).value_or(cluster.folder);
    TRY(recorder_->cluster(cluster));
    {
        // The archive stays where it began.
        sqlite::Database database = TRY(open_state(config_.state_dir));
        if (const auto row = TRY(WalRepository(database).cluster(cluster.system_id))) cluster = *row;
        TRY(remember_folder(config_.state_dir, cluster));
    }
    std::unique_ptr<Entry> made = TRY(make(config, cluster));
    Entry* entry = made.get();
    entries_.emplace(cluster.system_id, std::move(made));
    return entry;
}

Result<std::unique_ptr<Service::Entry>> Service::make(const WalConfig& config, const WalCluster& cluster) {
    auto entry = std::make_unique<Entry>();
    entry->config = config;
    const std::vector<DestinationOrder> destinations = wal_destinations(config_, config);
    // All of them, or none: what one destination lacks is copied from another as it is.
    const bool encrypted = std::any_of(destinations.begin(), destinations.end(), [&](const DestinationOrder& one) {
        return std::find(config_.encrypted.begin(), config_.encrypted.end(), one.id) != config_.encrypted.end();
    });
    if (!config_.encryption_key_file.empty()) entry->key = TRY(StreamKey::load(config_.encryption_key_file));
    const StreamKey* key = entry->key ? &*entry->key : nullptr;
    ArchiverParts parts{config,
                        cluster.system_id,
                        cluster.folder,
                        cluster.segment_bytes,
                        config_.state_dir + "/wal-spool/" + cluster.system_id,
                        key,
                        {},
                        *recorder_,
                        settings_.clock(),
                        cores()};
    std::vector<Depot*> depots;
    std::vector<const Depot*> readable;
    for (const DestinationOrder& destination : destinations) {
        DepotParts depot;
        depot.order = destination;
        depot.folder = cluster.folder;
        depot.key = key;
        depot.encrypted = encrypted;
        depot.waiting_bytes_max = Archiver::kPackedBytesMax / destinations.size();
        depot.threads = destination.type == "local" ? 2 : 4;
        depot.open = [this](const DestinationOrder& order, std::stop_token stop) {
            const JobHost host{config_, settings_.agent_id(), "", settings_.clock(), no_rate_};
            return open_destination(order, host, std::move(stop), kPatience);
        };
        parts.depots.push_back(std::make_unique<Depot>(std::move(depot)));
        depots.push_back(parts.depots.back().get());
        readable.push_back(parts.depots.back().get());
    }
    FetcherParts fetching{std::move(readable), cluster.segment_bytes, scratch_folder(config_), cores(), 4, {}};
    fetching.ought_to_be = [this, cluster](const wal::WalName& name) -> Result<bool> {
        sqlite::Database database = TRY(open_state(config_.state_dir));
        return ought_to_be(database, cluster, name);
    };
    sqlite::Database database = TRY(open_state(config_.state_dir));
    const auto newest = TRY(WalRepository(database).totals(cluster.system_id)).newest;
    entry->archiver = std::make_unique<Archiver>(std::move(parts));
    entry->fetcher = std::make_unique<Fetcher>(std::move(fetching));
    entry->filler = std::make_unique<Filler>(
        FillerParts{config_.state_dir, cluster.system_id, std::move(depots), *recorder_, newest});
    return entry;
}

std::vector<ClusterStatus> Service::status() const {
    std::vector<ClusterStatus> all;
    const std::shared_lock life(life_);
    const std::lock_guard lock(mutex_);
    for (const WalConfig& wal : config_.wal) {
        ClusterStatus status;
        status.config = wal;
        if (watch_) {
            const ClusterWatch::Seen seen = watch_->seen(wal.cluster);
            status.server = seen.facts;
            status.problem = seen.problem;
            if (seen.facts && seen.problem.empty()) status.setup_fault = fault_of_setup(*seen.facts);
        }
        const auto current = current_.find(wal.cluster);
        const auto entry = current == current_.end() ? entries_.end() : entries_.find(current->second);
        if (entry != entries_.end()) {
            const Archiver& archiver = *entry->second->archiver;
            status.system_id = entry->first;
            status.folder = archiver.parts().folder;
            status.archiver = archiver.status();
            for (const auto& depot : archiver.parts().depots) {
                const DepotHealth health = depot->health();
                status.destinations.push_back({depot->order().id, depot->order().name, health.down, health.why, 0, 0});
            }
        }
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace backstay::archiver
