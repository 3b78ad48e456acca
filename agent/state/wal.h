// What the agent knows of the archives of its clusters. Rows follow objects: what is written here is stored somewhere.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/lsn.h"
#include "common/domain/wal_coverage.h"
#include "common/result.h"
#include "common/sqlite/database.h"

namespace backstay {

struct WalCluster {
    std::string system_id;  // decimal
    std::string cluster;    // the [[cluster]]'s name
    std::string folder;     // of its archive: fixed when it was first seen, whoever the agent belongs to later
    std::uint64_t segment_bytes = wal::kDefaultSegmentBytes;
    std::int32_t server_version_num = 0;  // 0: not known yet
    TimeMs first_seen_at = 0;
    TimeMs last_seen_at = 0;
};

struct WalSegment {
    wal::Timeline timeline = 0;
    std::uint64_t number = 0;
    std::string digest;
    std::optional<TimeMs> first_commit;
    std::optional<TimeMs> last_commit;
    std::uint64_t stored_bytes = 0;
    TimeMs archived_at = 0;
};

struct WalLack {
    std::string destination_id;
    std::string system_id;
    std::string name;    // as PostgreSQL names it
    std::string digest;  // of the content
    TimeMs since = 0;
    bool conflict = false;
    std::string why;
};

struct WalGap {
    wal::Timeline timeline = 0;
    wal::Lsn start = 0;
    wal::Lsn end = 0;
    TimeMs started_at = 0;  // when it was noticed, first and last
    TimeMs ended_at = 0;
    std::string reason;  // dropped, lost
};

struct WalBase {
    std::string backup_id;
    std::string system_id;
    wal::Timeline timeline = 0;
    wal::Lsn start = 0;
    wal::Lsn stop = 0;
    TimeMs started_at = 0;
    TimeMs ended_at = 0;
    std::string folder;
    std::string reason;  // BaseBackupOrder::reason
    std::string status;  // completed, partial
    std::uint64_t size_bytes = 0;
    std::vector<std::string> destination_ids;
};

struct WalTotals {
    std::uint64_t segments = 0;
    std::uint64_t stored_bytes = 0;
    std::optional<WalSegment> newest;  // by the time of archiving
};

// Every call is one statement or one transaction; the caller may open a larger one around them.
class WalRepository {
public:
    explicit WalRepository(sqlite::Database& database) : database_(database) {}

    // The folder of a cluster that is known already stays as it is.
    Result<> put_cluster(const WalCluster& cluster);
    Result<std::optional<WalCluster>> cluster(const std::string& system_id);
    // Newest seen first: a [[cluster]] that was made anew has several.
    Result<std::vector<WalCluster>> clusters(const std::string& cluster_name = "");

    // Twice is once.
    Result<> put_segment(const std::string& system_id, const WalSegment& segment);
    Result<std::optional<WalSegment>> segment(const std::string& system_id, wal::Timeline timeline,
                                              std::uint64_t number);
    // In order, from `number` on, at most `limit`.
    Result<std::vector<WalSegment>> segments(const std::string& system_id, wal::Timeline timeline, std::uint64_t number,
                                             std::size_t limit);
    // All of them as wal::sum_up would, without having them all in memory.
    Result<std::vector<wal::Run>> runs(const WalCluster& cluster, const std::vector<wal::History>& histories);
    Result<WalTotals> totals(const std::string& system_id);
    // The last one of the timeline.
    Result<std::optional<WalSegment>> newest(const std::string& system_id, wal::Timeline timeline);
    Result<std::vector<wal::Timeline>> timelines(const std::string& system_id);
    // Segments of the timeline below `number`; answers how many there were.
    Result<std::int64_t> remove_segments(const std::string& system_id, wal::Timeline timeline, std::uint64_t number);

    Result<> put_history(const std::string& system_id, wal::Timeline timeline, const std::string& content, TimeMs now);
    Result<bool> has_history(const std::string& system_id, wal::Timeline timeline);
    Result<std::vector<wal::History>> histories(const std::string& system_id);

    Result<> put_lack(const WalLack& lack);
    Result<> remove_lack(const WalLack& lack);
    // In the order of their names, those behind `after`; those in conflict are left out.
    Result<std::vector<WalLack>> lacks(const std::string& destination_id, const std::string& system_id,
                                       const WalLack& after, std::size_t limit);
    // Of the segments of every timeline whose names, without the timeline, stand before `below`.
    Result<> remove_lacks(const std::string& system_id, const std::string& below);
    Result<bool> is_lacking_somewhere(const std::string& system_id, const std::string& name);
    struct LackCount {
        std::string destination_id;
        std::uint64_t lacking = 0;
        std::uint64_t conflicts = 0;
        std::string why;  // of the newest
    };
    Result<std::vector<LackCount>> lack_counts(const std::string& system_id);

    // A gap that continues the last one, for the same reason, is joined to it.
    Result<> add_gap(const std::string& system_id, const WalGap& gap);
    Result<std::vector<WalGap>> gaps(const std::string& system_id);
    Result<> remove_gaps_before(const std::string& system_id, wal::Timeline timeline, wal::Lsn end);

    Result<> put_base(const WalBase& base);
    Result<std::vector<WalBase>> bases(const std::string& system_id);
    Result<> remove_base(const std::string& backup_id);

    // All that coverage is told from.
    Result<wal::Holdings> holdings(const WalCluster& cluster);

private:
    sqlite::Database& database_;
};

}  // namespace backstay
