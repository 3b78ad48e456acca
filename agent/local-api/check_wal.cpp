#include <fmt/format.h>

#include "agent/archiver/cluster_watch.h"
#include "agent/local-api/check_host.h"

namespace backstay::local_api {
namespace {

constexpr std::int64_t kTimeoutMs = 5'000;

}  // namespace

void judge_archiving(const std::string& cluster, const archiver::ServerFacts& facts, CheckList& list) {
    if (facts.in_recovery) return list.ok("archiving", "the server is a standby: it archives nothing");
    if (const std::string fault = archiver::fault_of_setup(facts); !fault.empty()) {
        return list.fail(
            "archiving", fault,
            fmt::format("backstay setup-wal {} shows what to set, --apply sets it; archive_mode needs a restart "
                        "of PostgreSQL",
                        cluster));
    }
    // Names of one timeline are in the order of time.
    if (facts.last_failed && (!facts.last_archived || *facts.last_failed > *facts.last_archived)) {
        return list.fail(
            "archiving",
            fmt::format("archive_command fails: {} attempts, the last for {}", facts.failed_count, *facts.last_failed),
            "PostgreSQL's log has the hook's words: does the agent run, and is the server's account in "
            "wal_group?");
    }
    list.ok("archiving",
            facts.last_archived ? "the last file is " + *facts.last_archived : "set up, nothing archived yet");
}

void check_wal(const AgentConfig& config, const std::stop_token& stop, CheckList& list) {
    for (const WalConfig& wal : config.wal) {
        list.about(fmt::format("WAL of {}", wal.cluster));
        for (const ClusterConfig& cluster : config.clusters) {
            if (cluster.name != wal.cluster) continue;
            const auto facts = archiver::ask_server(cluster, kTimeoutMs, stop);
            if (!facts) {
                list.fail("archiving", facts.error());
            } else {
                judge_archiving(wal.cluster, *facts, list);
            }
        }
    }
}

}  // namespace backstay::local_api
