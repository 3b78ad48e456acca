#include "agent/local-api/wal_view.h"

namespace backstay::local_api {
namespace {

std::optional<Timestamp> as_time(const std::optional<TimeMs>& time) {
    return time ? std::optional<Timestamp>(Timestamp{*time}) : std::nullopt;
}

}  // namespace

WalArchiveView view_wal(const wal::Holdings& holdings, const wal::Coverage& coverage) {
    WalArchiveView view;
    view.timeline = coverage.timeline;
    for (const wal::Run& run : holdings.runs) {
        const std::uint64_t segments = (run.end - run.start) / holdings.segment_bytes;
        view.runs.push_back(
            {run.timeline, wal::format_lsn(run.start), wal::format_lsn(run.end), segments, as_time(run.last_commit)});
        view.segments += segments;
    }
    for (const wal::Base& base : holdings.bases) {
        view.bases.push_back({base.backup_id,
                              base.timeline,
                              wal::format_lsn(base.start),
                              wal::format_lsn(base.stop),
                              {base.started_at},
                              {base.ended_at},
                              0,
                              {},
                              ""});
    }
    for (const wal::Range& range : coverage.ranges) view.ranges.push_back({{range.time.start}, {range.time.end}});
    for (const wal::TimeRange& gap : coverage.gaps) view.gaps.push_back({{gap.start}, {gap.end}});
    view.earliest_recoverable = as_time(coverage.earliest);
    view.latest_recoverable = as_time(coverage.latest);
    return view;
}

}  // namespace backstay::local_api
