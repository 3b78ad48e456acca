// Runs one job of the agent's library in a process of its own, so that a benchmark measures the job and nothing else:
//   jobs-tool backup  CLUSTER_HOST PORT BIN_DIR DATABASE FILESTORE DESTINATION STATE   prints the backup's folder;
//                                                                       FILESTORE "-": of the database only
//   jobs-tool restore CLUSTER_HOST PORT BIN_DIR DATABASE FILESTORE DESTINATION STATE   the newest backup there
//   jobs-tool base    CLUSTER_HOST PORT BIN_DIR -        -         DESTINATION STATE   a base backup; prints its folder
//   jobs-tool push    -            -    -       PATH     SYSTEM_ID DESTINATION STATE   archives one file of WAL
// and then, in any order: --parallel (a parallel dump whatever the size), --key FILE (encrypts, decrypts)
#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <string>

#include "agent/jobs/destinations.h"
#include "agent/jobs/jobs.h"
#include "agent/jobs/restore/standalone.h"
#include "agent/wal/archive.h"
#include "common/domain/layout.h"
#include "common/domain/verdict.h"
#include "common/files/files.h"
#include "common/ids.h"

namespace backstay {
namespace {

DestinationOrder destination_at(const std::string& path) {
    DestinationOrder order;
    order.id = "00000000-0000-4000-8000-000000000001";
    order.name = "bench";
    order.type = "local";
    order.config = {{"path", path}, {"minFreeBytes", 0}};
    return order;
}

int complain(const Error& error) {
    std::fprintf(stderr, "%s [%s]\n", error.message().c_str(), error.reason().c_str());
    for (const auto& [key, value] : error.facts()) std::fprintf(stderr, "  %s: %s\n", key.c_str(), value.c_str());
    return 1;
}

int finish(const standalone::FileJournal& journal, const Result<std::string>& folder) {
    if (!folder) return complain(folder.error());
    if (!folder->empty()) std::printf("%s\n", folder->c_str());
    EvidenceInput input;
    input.plan = journal.plan();
    input.phase = Phase::ended;
    input.steps = journal.steps();
    for (const StepRecord& step : input.steps) {
        std::fprintf(stderr, "%-20s %8lld ms  %s\n", step.name.c_str(),
                     static_cast<long long>(step.duration_ms.value_or(0)), step.summary.c_str());
    }
    return 0;
}

// As an archive_command does it, without an agent.
int push_wal(const std::string& path, const std::string& system_id, const DestinationOrder& destination,
             const JobHost& host) {
    const auto push = [&]() -> Result<> {
        const auto storage = TRY(open_destination(destination, host, {}));
        wal::Packer packer(1);
        StringSource source(TRY(read_file(path, 1 << 30)));
        wal::PackOrder order;
        order.name = TRY(wal::parse_wal_name(path.substr(path.rfind('/') + 1)));
        order.system_id = std::stoull(system_id);
        order.segment_bytes = wal::kDefaultSegmentBytes;
        const wal::PackedObject object = TRY(packer.pack(source, order));
        wal::Archive archive(*storage, layout::cluster_folder(layout::kLocal, system_id), nullptr);
        TRY(archive.put(object, false));
        return {};
    };
    const auto pushed = push();
    return pushed ? 0 : complain(pushed.error());
}

struct Order {
    std::string id;
    DestinationOrder destination;
    bool encrypt;
};

// Both answer the folder.
Result<std::string> back_up_cluster(const Order& wanted, const JobHost& host, const Clock& clock, Steps& steps) {
    BaseBackupOrder order;
    order.backup_id = wanted.id;
    order.trigger = "manual";
    order.reason = "asked";
    order.created_at = Timestamp{clock.now_ms()};
    order.organization_id = layout::kLocal;
    order.cluster = host.config.clusters.front().name;
    order.destinations = {wanted.destination};
    if (wanted.encrypt) order.encrypt_for = {wanted.destination.id};
    return TRY(run_base_backup(order, host, steps)).folder;
}

Result<std::string> back_up(const Order& wanted, const std::string& database, const std::string& filestore,
                            const JobHost& host, const Clock& clock, Steps& steps) {
    BackupOrder order;
    order.backup_id = wanted.id;
    const bool files = filestore != "-";
    order.scope = files ? "full" : "db";
    order.trigger = "manual";
    order.created_at = Timestamp{clock.now_ms()};
    order.environment.organization_id = "local";
    order.environment.project_id = "bench";
    order.environment.environment_id = database;
    order.environment.name = database;
    order.environment.type = "production";
    order.environment.database = database;
    if (files) order.environment.filestore = filestore;
    order.destinations = {wanted.destination};
    if (wanted.encrypt) order.encrypt_for = {wanted.destination.id};
    return TRY(run_backup(order, host, steps)).folder;
}

int run(const std::vector<std::string>& arguments) {
    AgentConfig config;
    ClusterConfig cluster;
    cluster.host = arguments[2];
    cluster.port = static_cast<std::uint16_t>(std::stoi(arguments[3]));
    cluster.bin_dir = arguments[4];
    cluster.user = "postgres";
    config.clusters = {cluster};
    config.local_roots = {arguments[7]};
    config.state_dir = arguments[8];
    bool encrypt = false;
    for (std::size_t i = 9; i < arguments.size(); ++i) {
        if (arguments[i] == "--parallel") config.limits.parallel_dump_bytes = 0;
        if (arguments[i] != "--key" || i + 1 == arguments.size()) continue;
        config.encryption_key_file = arguments[++i];
        encrypt = true;
    }
    const SystemClock clock;
    const std::atomic<std::uint64_t> rate{0};
    const JobHost host{config, "bench", "0", clock, rate};
    const std::string id = new_uuid();
    const DestinationOrder destination = destination_at(arguments[7]);
    if (arguments[1] == "push") return push_wal(arguments[5], arguments[6], destination, host);
    auto journal = standalone::FileJournal::open(host, id, {});
    if (!journal) return complain(journal.error());
    ProgressMeter progress(clock, arguments[1], id, "");
    Steps steps(**journal, progress, clock, {});
    const Order order{id, destination, encrypt};
    if (arguments[1] == "base") return finish(**journal, back_up_cluster(order, host, clock, steps));
    if (arguments[1] == "backup") {
        return finish(**journal, back_up(order, arguments[5], arguments[6], host, clock, steps));
    }
    auto listing = standalone::find_backups(destination, host, {}, {});
    if (!listing) return complain(listing.error());
    if (listing->backups.empty()) return complain(Error(Errc::not_found, "no backup there"));
    standalone::RestoreWish wish;
    wish.database = arguments[5];
    wish.filestore = arguments[6];
    auto done = run_restore(standalone::order_for(listing->backups.front(), destination, wish), host, steps, {});
    return finish(**journal, done ? Result<std::string>("") : Result<std::string>(done.error()));
}

}  // namespace
}  // namespace backstay

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv, argv + argc);
    if (arguments.size() < 9) {
        std::fprintf(stderr, "see the head of jobs_tool.cpp\n");
        return 2;
    }
    return backstay::run(arguments);
}
