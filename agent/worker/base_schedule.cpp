#include "agent/worker/base_schedule.h"

#include <algorithm>

#include "agent/state/identity.h"
#include "agent/state/jobs.h"
#include "agent/state/schedules.h"
#include "common/domain/layout.h"
#include "common/ids.h"
#include "common/log.h"

namespace backstay {
namespace {

constexpr auto kEvery = std::chrono::seconds(60);
constexpr std::int64_t kFirstWaitMs = 5LL * 60 * 1000;
constexpr std::int64_t kLongestWaitMs = 6LL * 3600 * 1000;
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kSameReasonMs = 3600LL * 1000;
constexpr std::size_t kJobsLooked = 300;

std::int64_t wait_after(std::int32_t failures) {
    std::int64_t wait = kFirstWaitMs;
    for (std::int32_t i = 1; i < failures && wait < kLongestWaitMs; ++i) wait *= 2;
    return std::min(wait, kLongestWaitMs);
}

std::string text_of(const json::Object& order, std::string_view name) {
    const json::Value* value = order.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

void look_at_jobs(const std::vector<JobRow>& newest_first, const std::string& cluster, BaseSituation& situation) {
    bool succeeded = false;
    for (const JobRow& job : newest_first) {
        if (job.kind != "base_backup" || job.cluster != cluster) continue;
        if (!is_over(job.state)) {
            situation.under_way = true;
            return;
        }
        if (job.state == JobState::succeeded) {
            succeeded = true;
            if (text_of(job.order, "trigger") != "scheduled") continue;
            situation.taken_at.emplace(text_of(job.order, "reason"), job.ended_at.value_or(job.created_at).ms);
        }
        if (succeeded) continue;
        ++situation.failures;
        if (situation.failures == 1) situation.last_failed_at = job.ended_at.value_or(job.created_at).ms;
    }
}

std::optional<NextBase> wanted_base(const BaseSituation& situation) {
    const wal::Holdings& holdings = situation.holdings;
    const auto at_once = [&](std::string_view reason) { return NextBase{situation.now, std::string(reason)}; };
    if (holdings.bases.empty()) return at_once("wal_enabled");
    const auto own = [&](wal::Timeline timeline) {
        return !situation.server_timeline || timeline == *situation.server_timeline;
    };
    const wal::Base* newest = nullptr;
    for (const wal::Base& base : holdings.bases) {
        if (own(base.timeline) && (newest == nullptr || newest->ended_at < base.ended_at)) newest = &base;
    }
    if (newest == nullptr) {
        const bool has_wal = std::any_of(holdings.runs.begin(), holdings.runs.end(),
                                         [&](const wal::Run& run) { return own(run.timeline); });
        return has_wal ? std::optional<NextBase>(at_once("timeline_changed")) : std::nullopt;
    }
    // WAL behind a hole that no base backup reaches.
    const bool cut_off = std::any_of(holdings.runs.begin(), holdings.runs.end(), [&](const wal::Run& run) {
        return run.timeline == newest->timeline && run.start > newest->start;
    });
    if (cut_off) return at_once("gap");
    return NextBase{newest->ended_at + situation.every_days * kDayMs, "interval"};
}

}  // namespace

std::optional<NextBase> next_base(const BaseSituation& situation) {
    // Without any WAL archived there is nothing that a base backup could begin.
    if (situation.under_way || situation.holdings.runs.empty()) return std::nullopt;
    auto next = wanted_base(situation);
    if (!next) return std::nullopt;
    if (situation.failures > 0) {
        next->at = std::max(next->at, situation.last_failed_at + wait_after(situation.failures));
    }
    // What one base backup did not mend, the next one a minute later does not mend either.
    const auto taken = situation.taken_at.find(next->reason);
    if (taken != situation.taken_at.end()) next->at = std::max(next->at, taken->second + kSameReasonMs);
    return next;
}

std::optional<std::string> due_base(const BaseSituation& situation) {
    const auto next = next_base(situation);
    return next && next->at <= situation.now ? std::optional<std::string>(next->reason) : std::nullopt;
}

Result<std::optional<BaseSituation>> base_situation(const WalConfig& wal, sqlite::Database& database,
                                                    std::optional<wal::Timeline> server_timeline, TimeMs now) {
    WalRepository archive(database);
    const auto clusters = TRY(archive.clusters(wal.cluster));
    if (clusters.empty()) return std::optional<BaseSituation>();
    BaseSituation situation;
    situation.now = now;
    situation.holdings = TRY(archive.holdings(clusters.front()));
    const auto wish = TRY(ScheduleRepository(database).wal_wish(wal.cluster));
    situation.every_days = with_wish(wal, wish).base_every_days;
    situation.server_timeline = server_timeline;
    const auto jobs = TRY(JobRepository(database).newest(kJobsLooked));
    look_at_jobs(jobs, wal.cluster, situation);
    return std::optional<BaseSituation>(std::move(situation));
}

JobRequest make_base_backup(const std::string& cluster, const std::string& organization, std::string_view trigger,
                            std::string_view reason, std::string_view origin, const std::string& requested_by,
                            bool reported, TimeMs now) {
    BaseBackupOrder order;
    order.backup_id = new_uuid();
    order.trigger = trigger;
    order.reason = reason;
    order.created_at = {now};
    order.organization_id = organization;
    order.cluster = cluster;
    JobRequest request{{}, Order(order)};
    request.row.job_id = new_uuid();
    request.row.kind = kind_of(request.order);
    request.row.origin = origin;
    request.row.requested_by = requested_by;
    request.row.operation_id = order.backup_id;
    request.row.cluster = cluster;
    request.row.order = without_secrets(request.order);
    request.row.created_at = {now};
    request.row.reported = reported;
    return request;
}

Result<std::string> archive_owner(WalRepository& archive, const std::string& cluster, const std::string& other) {
    const auto known = TRY(archive.clusters(cluster));
    if (known.empty()) return other;
    const std::string& folder = known.front().folder;  // v1/<org>/clusters/<systemId>
    const std::size_t first = folder.find('/');
    return folder.substr(first + 1, folder.find('/', first + 1) - first - 1);
}

BaseSchedule::BaseSchedule(const Settings& settings, Worker& worker, ServerTimeline server_timeline)
    : settings_(settings),
      worker_(worker),
      server_timeline_(std::move(server_timeline)),
      rounds_(settings, "base backups", kEvery, [this](sqlite::Database& database) { look(database); }) {}

void BaseSchedule::look(sqlite::Database& database) {
    const AgentConfig config = settings_.config();
    for (const WalConfig& wal : config.wal) {
        // One cluster's fault is not the others'.
        if (const auto looked = look_at(wal, config, database); !looked) {
            log::warning("base backups not looked after",
                         {{"cluster", wal.cluster}, {"error", looked.error().message()}});
        }
    }
}

Result<> BaseSchedule::look_at(const WalConfig& wal, const AgentConfig& config, sqlite::Database& database) {
    const TimeMs now = settings_.clock().now_ms();
    const auto situation = TRY(base_situation(wal, database, server_timeline_(wal.cluster), now));
    const auto reason = situation ? due_base(*situation) : std::nullopt;
    if (!reason) return {};
    WalRepository archive(database);
    const auto identity = TRY(load_identity(config.state_dir));
    const std::string owner =
        TRY(archive_owner(archive, wal.cluster, identity ? identity->organization_id : std::string(layout::kLocal)));
    JobRequest request = make_base_backup(wal.cluster, owner, "scheduled", *reason, kOriginSocket, "the agent itself",
                                          identity.has_value(), now);
    log::info("base backup is due", {{"cluster", wal.cluster}, {"reason", *reason}, {"job", request.row.job_id}});
    return worker_.submit(database, std::move(request));
}

}  // namespace backstay
