#include "agent/local-api/routes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <set>

#include "agent/adoption/adoption.h"
#include "agent/inventory/inventory.h"
#include "agent/local-api/answers.h"
#include "agent/local-api/check.h"
#include "agent/local-api/metrics.h"
#include "agent/local-api/order_parts.h"
#include "agent/local-api/orders.h"
#include "agent/local-api/upcoming.h"
#include "agent/local-api/views.h"
#include "agent/local-api/wal.h"
#include "agent/local-api/why.h"
#include "agent/state/damage.h"
#include "agent/state/outbox.h"
#include "agent/state/retelling.h"
#include "common/log.h"
#include "common/version.h"

namespace backstay::local_api {
namespace {

constexpr std::size_t kListMax = 1000;
constexpr std::size_t kListDefault = 50;
constexpr json::DecodeOptions kRequest{json::Names::camel, json::Unknown::refuse, json::Missing::refuse};

Result<std::size_t> limit_of(const http::Request& request) {
    const std::string* text = request.query_value("limit");
    if (text == nullptr) return kListDefault;
    std::size_t limit = 0;
    const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (fault != std::errc() || end != text->data() + text->size() || limit == 0 || limit > kListMax) {
        return Error(Errc::invalid, fmt::format("limit: must be between 1 and {}", kListMax));
    }
    return limit;
}

std::string query_text(const http::Request& request, std::string_view name) {
    const std::string* text = request.query_value(name);
    return text != nullptr ? *text : "";
}

Limits changed(Limits limits, const LimitsView& change) {
    limits.rate_bytes_per_sec = change.rate_bytes_per_sec.value_or(limits.rate_bytes_per_sec);
    limits.concurrent_jobs = change.concurrent_jobs.value_or(limits.concurrent_jobs);
    limits.zstd_level = change.zstd_level.value_or(limits.zstd_level);
    limits.compression_threads = change.compression_threads.value_or(limits.compression_threads);
    limits.dump_jobs = change.dump_jobs.value_or(limits.dump_jobs);
    limits.parallel_dump_bytes = change.parallel_dump_bytes.value_or(limits.parallel_dump_bytes);
    limits.restore_jobs = change.restore_jobs.value_or(limits.restore_jobs);
    limits.nice = change.nice.value_or(limits.nice);
    limits.idle_io = change.idle_io.value_or(limits.idle_io);
    return limits;
}

LimitsView view_of(const Limits& limits) {
    return LimitsView{limits.rate_bytes_per_sec,
                      limits.concurrent_jobs,
                      limits.zstd_level,
                      limits.compression_threads,
                      limits.dump_jobs,
                      limits.parallel_dump_bytes,
                      limits.restore_jobs,
                      limits.nice,
                      limits.idle_io};
}

// The same ranges as the configuration file's.
Result<> check_limits(const Limits& limits) {
    const auto within = [](std::int64_t value, std::int64_t low, std::int64_t high, const char* name) -> Result<> {
        if (value >= low && value <= high) return {};
        return Error(Errc::invalid, fmt::format("{}: must be between {} and {}", name, low, high));
    };
    TRY(within(limits.concurrent_jobs, 1, 16, "concurrentJobs"));
    TRY(within(limits.zstd_level, 1, 19, "zstdLevel"));
    TRY(within(limits.compression_threads, 1, 64, "compressionThreads"));
    TRY(within(limits.dump_jobs, 1, 64, "dumpJobs"));
    TRY(within(limits.restore_jobs, 1, 64, "restoreJobs"));
    return within(limits.nice, 0, 19, "nice");
}

Result<std::vector<JobView>> view_all(sqlite::Database& database, const std::vector<JobRow>& rows,
                                      const Worker& worker) {
    std::vector<JobView> views;
    for (const JobRow& row : rows) views.push_back(TRY(view_job(database, row, worker.progress_of(row.job_id))));
    return views;
}

Result<std::vector<BackupView>> last_backups(sqlite::Database& database) {
    std::vector<BackupView> views;
    for (const BackupRow& row : TRY(BackupRepository(database).last_of_each())) views.push_back(view_backup(row));
    return views;
}

std::vector<SnapshotView> views_of(const std::vector<SnapshotRow>& rows) {
    std::vector<SnapshotView> views;
    for (const SnapshotRow& row : rows) views.push_back(view_snapshot(row));
    return views;
}

// The newest of each database.
Result<std::vector<SnapshotView>> last_snapshots(sqlite::Database& database) {
    std::vector<SnapshotView> views;
    std::set<std::string> seen;
    for (const SnapshotRow& row : TRY(SnapshotRepository(database).newest("", kListMax))) {
        if (seen.insert(row.cluster + "/" + row.database).second) views.push_back(view_snapshot(row));
    }
    return views;
}

}  // namespace

template <class Do>
void Api::add(std::string_view method, std::string_view pattern, Desk& desk, Do act) {
    router_.add(
        method, pattern, [&desk, act](std::unique_ptr<http::Exchange> exchange, const http::PathParams& params) {
            desk.serve(std::move(exchange), [act, params](sqlite::Database& database, const http::Request& request) {
                Result<http::Response> response = act(database, request, params);
                return response ? std::move(*response) : error_answer(response.error());
            });
        });
}

Api::Api(ApiParts parts)
    : parts_(std::move(parts)),
      watchers_(parts_.loop),
      slow_(parts_.loop, parts_.settings.config().state_dir),
      quick_(parts_.loop, parts_.settings.config().state_dir) {
    add_reading();
    add_refused();
    add_looking();
    add_adopting();
    add_ordering();
    add_snapshots();
    add_changing();
    add_wal();
    router_.add("GET", "/v1/jobs/{id}/events",
                [this](std::unique_ptr<http::Exchange> exchange, const http::PathParams& params) {
                    watch(std::move(exchange), params["id"]);
                });
}

void Api::handle_metrics(std::unique_ptr<http::Exchange> exchange) {
    const http::Request& request = exchange->request();
    if (request.path != "/metrics") return exchange->respond(error_body(404, "not_found", "there is only /metrics"));
    if (request.method != "GET" && request.method != "HEAD") {
        return exchange->respond(error_body(405, "method_not_allowed", "/metrics is only read"));
    }
    quick_.serve(std::move(exchange), [this](sqlite::Database& database, const http::Request&) {
        auto response = metrics(database);
        return response ? std::move(*response) : error_answer(response.error());
    });
}

http::Response Api::error_body(int status, std::string_view code, std::string_view message) {
    return error_answer(status, code, message);
}

void Api::handle(std::unique_ptr<http::Exchange> exchange) { router_.handle(std::move(exchange), error_body); }

// At the desk that may wait for disks: what was measured last is shown meanwhile.
void Api::measure_spaces() {
    const std::int64_t now = steady_ms();
    if (!spaces_.claim(now)) return;
    slow_.run([this](sqlite::Database&) { spaces_.measure(parts_.settings.config()); });
}

Result<StatusAnswer> Api::status(sqlite::Database& database) {
    measure_spaces();
    const AgentConfig config = parts_.settings.config();
    const TimeMs now = parts_.settings.clock().now_ms();
    const auto clusters = parts_.wal();
    const ServerTimeline timeline = [&](const std::string& name) -> std::optional<wal::Timeline> {
        for (const archiver::ClusterStatus& one : clusters) {
            if (one.config.cluster == name && one.server) return one.server->timeline;
        }
        return std::nullopt;
    };
    StatusAnswer status;
    status.version = kVersion;
    status.agent_id = parts_.settings.agent_id();
    status.pid = ::getpid();
    status.started_at = parts_.started_at;
    status.control_plane = parts_.control_plane();
    status.control_plane.unsent_reports = TRY(Outbox(database).size());
    status.control_plane.refused_reports = TRY(Outbox(database).refused());
    for (const DestinationOrder& one : config.destinations) status.destinations.push_back(one.id);
    const auto active = TRY(JobRepository(database).newest(kListMax, true));
    status.active = TRY(view_all(database, active, parts_.worker));
    status.last_backups = TRY(last_backups(database));
    status.wal = TRY(view_wal(database, clusters));
    status.last_snapshots = TRY(last_snapshots(database));
    status.next_runs = TRY(view_next_runs(database, now));
    status.destination_states = TRY(view_destinations(database, config, status.wal, spaces_, now));
    if (const auto space = spaces_.of_state()) status.state_free_bytes = space->free_bytes;
    status.upcoming = TRY(view_upcoming(database, config, status, timeline, now));
    if (const auto loss = TRY(load_state_loss(config.state_dir))) {
        status.state_lost = StateLossView{loss->at, loss->why, loss->kept_as};
    }
    status.why = TRY(explain({database, config, status, timeline, now}));
    return status;
}

Result<WhyAnswer> Api::why(sqlite::Database& database, const std::string& of) {
    StatusAnswer now = TRY(status(database));
    if (of.empty()) return std::move(now.why);
    auto known = of_database(now.why, of);
    if (known || known.error().code() != Errc::not_found) return known;
    const auto row = JobRepository(database).look_up(of);
    if (!row) {
        if (row.error().code() != Errc::not_found) return row.error();
        return Error(Errc::not_found, fmt::format("there is no database and no job \"{}\" here", of))
            .with_hint("backstay why, without a name, tells of all; backstay jobs lists the jobs");
    }
    const JobDetail detail = TRY(view_detail(database, *row, parts_.worker.progress_of(row->job_id)));
    return explain_job(detail, now);
}

Result<http::Response> Api::metrics(sqlite::Database& database) {
    http::Response response;
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = metrics_text(TRY(status(database)));
    return response;
}

void Api::add_reading() {
    using http::PathParams;
    using http::Request;
    using http::Response;
    add("GET", "/v1/status", quick_,
        [this](sqlite::Database& database, const Request&, const PathParams&) -> Result<Response> {
            const StatusAnswer now = TRY(status(database));
            return answer(200, now);
        });
    add("GET", "/v1/why", quick_,
        [this](sqlite::Database& database, const Request& request, const PathParams&) -> Result<Response> {
            const WhyAnswer answered = TRY(why(database, query_text(request, "of")));
            return answer(200, answered);
        });
    add("GET", "/v1/jobs", quick_,
        [this](sqlite::Database& database, const Request& request, const PathParams&) -> Result<Response> {
            const std::size_t limit = TRY(limit_of(request));
            const auto rows = TRY(JobRepository(database).newest(limit));
            JobList list;
            list.jobs = TRY(view_all(database, rows, parts_.worker));
            return answer(200, list);
        });
    add("GET", "/v1/jobs/{id}", quick_,
        [this](sqlite::Database& database, const Request&, const PathParams& params) -> Result<Response> {
            const JobRow row = TRY(JobRepository(database).look_up(params["id"]));
            const JobDetail detail = TRY(view_detail(database, row, parts_.worker.progress_of(row.job_id)));
            return answer(200, detail);
        });
    add("GET", "/v1/backups", quick_,
        [](sqlite::Database& database, const Request& request, const PathParams&) -> Result<Response> {
            const std::size_t limit = TRY(limit_of(request));
            BackupList list;
            for (const BackupRow& row :
                 TRY(BackupRepository(database).newest(query_text(request, "database"), limit))) {
                list.backups.push_back(view_backup(row));
            }
            return answer(200, list);
        });
    add("GET", "/v1/wal", quick_,
        [this](sqlite::Database& database, const Request&, const PathParams&) -> Result<Response> {
            const WalAnswer wal = TRY(view_archives(parts_.settings.config(), database));
            return answer(200, wal);
        });
    add("GET", "/v1/limits", quick_, [this](sqlite::Database&, const Request&, const PathParams&) -> Result<Response> {
        return answer(200, view_of(parts_.settings.config().limits));
    });
}

void Api::add_refused() {
    add("GET", "/v1/refused-reports", quick_,
        [](sqlite::Database& database, const http::Request& request,
           const http::PathParams&) -> Result<http::Response> {
            const std::size_t limit = TRY(limit_of(request));
            RefusedReportList list;
            for (auto& one : TRY(Outbox(database).newest_refused(limit))) {
                list.reports.push_back({std::move(one.job_id), one.fence, one.seq, std::move(one.kind),
                                        std::move(one.code), std::move(one.message)});
            }
            return answer(200, list);
        });
    add("POST", "/v1/report-again", quick_,
        [this](sqlite::Database& database, const http::Request& request,
               const http::PathParams&) -> Result<http::Response> {
            const auto asked = TRY(json::decode_text<ReportAgainRequest>(request.body, kRequest));
            const Retold told = TRY(tell_again(database, asked.since.ms));
            log::info("reports told again", {{"jobs", told.jobs}, {"reports", told.reports}, {"by", request.peer}});
            parts_.nudge();
            return answer(200, ReportAgainAnswer{told.jobs, told.reports, told.waiting});
        });
}

// What is asked of servers, and may take its time.
void Api::add_looking() {
    using http::PathParams;
    using http::Request;
    using http::Response;
    add("GET", "/v1/inventory", slow_,
        [this](sqlite::Database&, const Request&, const PathParams&) -> Result<Response> {
            return answer(200, take_inventory(parts_.settings.config(), slow_.stop_token()));
        });
    add("GET", "/v1/check", slow_,
        [this](sqlite::Database&, const Request& request, const PathParams&) -> Result<Response> {
            const std::string* cluster = request.query_value("cluster");
            return answer(200, run_check(parts_.settings.config(), query_text(request, "database"),
                                         cluster != nullptr ? std::optional<std::string>(*cluster) : std::nullopt,
                                         slow_.stop_token()));
        });
}

Result<Accepted> Api::accept(Order order, sqlite::Database& database, const http::Request& request) {
    const AgentConfig config = parts_.settings.config();
    const Maker maker{config, parts_.settings.agent_id(), parts_.settings.clock(), database};
    std::string who = request.peer.starts_with("unix:") ? request.peer.substr(5) : request.peer;
    JobRequest job = make_job(std::move(order), maker, who, parts_.control_plane().enrolled);
    const Accepted accepted{job.row.job_id, job.row.operation_id};
    log::info("job asked for",
              {{"job", accepted.job_id}, {"kind", job.row.kind}, {"database", job.row.database}, {"by", who}});
    TRY(parts_.worker.submit(database, std::move(job)));
    return accepted;
}

template <class Message, class Make>
void Api::add_order(std::string_view pattern, Make make) {
    add("POST", pattern, quick_,
        [this, make](sqlite::Database& database, const http::Request& request,
                     const http::PathParams&) -> Result<http::Response> {
            const Message message = TRY(json::decode_text<Message>(request.body, kRequest));
            const AgentConfig config = parts_.settings.config();
            const Maker maker{config, parts_.settings.agent_id(), parts_.settings.clock(), database};
            auto order = TRY(make(message, maker));
            const Accepted accepted = TRY(accept(Order(std::move(order)), database, request));
            return answer(202, accepted);
        });
}

// Not a job: it proves nothing, changes nothing but rows, and is asked for once in a host's life.
void Api::add_adopting() {
    add("POST", "/v1/adoptions", slow_,
        [this](sqlite::Database& database, const http::Request& request,
               const http::PathParams&) -> Result<http::Response> {
            const auto message = TRY(json::decode_text<adoption::AdoptionRequest>(request.body, kRequest));
            const AgentConfig config = parts_.settings.config();
            const JobHost host = parts_.settings.host(config);
            std::vector<DestinationOrder> destinations = config.destinations;
            if (parts_.told_destinations) {
                for (DestinationOrder& told : parts_.told_destinations()) {
                    if (find_destination(config, told.id) == nullptr) destinations.push_back(std::move(told));
                }
            }
            log::info("adoption asked for", {{"by", request.peer}, {"show", message.show.value_or(false)}});
            const auto report =
                TRY(adoption::adopt({host, database, std::move(destinations), slow_.stop_token()}, message));
            return answer(200, report);
        });
}

void Api::add_ordering() {
    add_order<BackupRequest>("/v1/backups", make_backup);
    add_order<RestoreRequest>("/v1/restores", make_restore);
    add_order<BaseBackupRequest>("/v1/base-backups", make_base);
    add_order<VerifyRequest>("/v1/verifications", make_verify);
    add_order<CopyRequest>("/v1/copies", make_copy);
    add_order<UndoRequest>("/v1/undos", make_undo);
    add("DELETE", "/v1/backups/{id}", quick_,
        [this](sqlite::Database& database, const http::Request& request,
               const http::PathParams& params) -> Result<http::Response> {
            const AgentConfig config = parts_.settings.config();
            const Maker maker{config, parts_.settings.agent_id(), parts_.settings.clock(), database};
            auto order = TRY(make_delete(params["id"], maker));
            const Accepted accepted = TRY(accept(Order(std::move(order)), database, request));
            return answer(202, accepted);
        });
}

void Api::add_snapshots() {
    using http::PathParams;
    using http::Request;
    using http::Response;
    add("GET", "/v1/snapshots", quick_,
        [](sqlite::Database& database, const Request& request, const PathParams&) -> Result<Response> {
            const std::size_t limit = TRY(limit_of(request));
            const auto rows = TRY(SnapshotRepository(database).newest(query_text(request, "database"), limit));
            return answer(200, SnapshotList{views_of(rows)});
        });
    add_order<SnapshotRequest>("/v1/snapshots", make_snapshot);
    add_order<RollbackRequest>("/v1/rollbacks", make_rollback);
    add("DELETE", "/v1/snapshots/{id}", quick_,
        [this](sqlite::Database& database, const http::Request& request,
               const http::PathParams& params) -> Result<http::Response> {
            const AgentConfig config = parts_.settings.config();
            const Maker maker{config, parts_.settings.agent_id(), parts_.settings.clock(), database};
            auto order = TRY(make_delete_snapshot(params["id"], maker));
            const Accepted accepted = TRY(accept(Order(std::move(order)), database, request));
            return answer(202, accepted);
        });
}

void Api::add_changing() {
    add("POST", "/v1/jobs/{id}/cancel", quick_,
        [this](sqlite::Database& database, const http::Request& request,
               const http::PathParams& params) -> Result<http::Response> {
            const JobRow row = TRY(JobRepository(database).look_up(params["id"]));
            if (is_over(row.state) || !parts_.worker.cancel(row.job_id, StopCause::cancelled)) {
                return Error(Errc::conflict, fmt::format("job {} is over already", row.job_id));
            }
            log::info("cancel asked for", {{"job", row.job_id}, {"by", request.peer}});
            return answer(202, Accepted{row.job_id, row.operation_id});
        });
    add("PUT", "/v1/limits", quick_,
        [this](sqlite::Database&, const http::Request& request, const http::PathParams&) -> Result<http::Response> {
            const LimitsView change = TRY(json::decode_text<LimitsView>(request.body, kRequest));
            const Limits limits = changed(parts_.settings.config().limits, change);
            TRY(check_limits(limits));
            parts_.settings.set_limits(limits);
            log::info("limits changed", {{"rate_bytes_per_sec", limits.rate_bytes_per_sec}, {"by", request.peer}});
            return answer(200, view_of(limits));
        });
}

void Api::add_wal() {
    add("GET", "/v1/metrics", quick_,
        [this](sqlite::Database& database, const http::Request&, const http::PathParams&) {
            return metrics(database);
        });
    add("POST", "/v1/wal-setup", slow_,
        [this](sqlite::Database&, const http::Request& request, const http::PathParams&) -> Result<http::Response> {
            const auto message = TRY(json::decode_text<WalSetupRequest>(request.body, kRequest));
            const WalSetupAnswer done = TRY(set_up_wal(parts_.settings.config(), message));
            if (message.apply.value_or(false)) {
                log::info("WAL settings applied", {{"cluster", done.cluster}, {"by", request.peer}});
            }
            return answer(200, done);
        });
}

void Api::watch(std::unique_ptr<http::Exchange> exchange, const std::string& job_id) {
    // The stream opens at once and ends when there turns out to be nothing to watch.
    watchers_.open(job_id, *exchange);
    end_watch(job_id);
}

// Looks whether the job is over, and ends its streams then. An unknown job is over, too.
void Api::end_watch(const std::string& job_id) {
    quick_.run([this, job_id](sqlite::Database& database) {
        std::string text;
        const auto row = JobRepository(database).find(job_id);
        if (!row || !*row) {
            text = json::encode_text(ErrorBody{"not_found", fmt::format("there is no job {}", job_id), "", ""});
        } else if (is_over((*row)->state)) {
            const auto view = view_job(database, **row, std::nullopt);
            text = view ? json::encode_text(*view) : json::encode_text(ErrorBody{"io", view.error().message(), "", ""});
        }
        if (text.empty()) return;
        parts_.loop.post([this, job_id, text] { watchers_.ended(job_id, text); });
    });
}

void Api::job_changed(const std::string& job_id) {
    parts_.nudge();
    if (watchers_.watched(job_id)) end_watch(job_id);
}

void Api::progressed(const std::string& job_id, const Progress& progress) { watchers_.progressed(job_id, progress); }

}  // namespace backstay::local_api
