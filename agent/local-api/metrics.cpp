#include "agent/local-api/metrics.h"

#include <fmt/format.h>

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

namespace backstay::local_api {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// A label's value may be anything that PostgreSQL takes for the name of a database.
std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        text += c == '\n' ? std::string_view("\\n") : std::string_view(&c, 1);
    }
    return text;
}

class Exposition {
public:
    void family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        text_ += fmt::format("# HELP backstay_{0} {1}\n# TYPE backstay_{0} {2}\n", name, help, type);
    }
    // Of the family that was named last.
    void sample(const Labels& labels, double value) {
        std::string list;
        for (const auto& [label, of] : labels) {
            list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", label, escaped(of));
        }
        text_ +=
            fmt::format("backstay_{}{}{}{} {}\n", name_, list.empty() ? "" : "{", list, list.empty() ? "" : "}", value);
    }
    void alone(std::string_view name, std::string_view help, double value) {
        family(name, "gauge", help);
        sample({}, value);
    }
    std::string text() && { return std::move(text_); }

private:
    std::string name_;
    std::string text_;
};

double seconds(Timestamp at) { return static_cast<double>(at.ms) / 1000; }

template <class Number>
double real(Number number) {
    return static_cast<double>(number);
}

void add_agent(Exposition& out, const StatusAnswer& status) {
    out.family("agent_info", "gauge", "Always 1; the version is a label.");
    out.sample({{"version", status.version}}, 1);
    out.alone("agent_state_lost", "1: the agent's database was lost or damaged, and nobody has run `backstay adopt`.",
              status.state_lost ? 1 : 0);
    out.alone("agent_start_time_seconds", "When the agent started.", seconds(status.started_at));
    const ControlPlaneView& plane = status.control_plane;
    if (!plane.url.empty()) {
        out.alone("agent_control_plane_connected", "Whether the control plane answered the last call.",
                  plane.connected ? 1 : 0);
    }
    if (plane.last_contact_at) {
        out.alone("agent_control_plane_last_contact_timestamp_seconds", "When the control plane answered last.",
                  seconds(*plane.last_contact_at));
    }
    out.alone("agent_unsent_reports", "Reports that wait for the control plane.", real(plane.unsent_reports));
    out.alone("agent_refused_reports", "Reports that the control plane will never take.", real(plane.refused_reports));
    std::size_t running = 0;
    for (const JobView& job : status.active) running += job.state == "running" ? 1 : 0;
    out.family("agent_jobs", "gauge", "Jobs that are not over.");
    out.sample({{"state", "queued"}}, real(status.active.size() - running));
    out.sample({{"state", "running"}}, real(running));
}

void add_backups(Exposition& out, const StatusAnswer& status) {
    out.family("agent_last_backup_timestamp_seconds", "gauge",
               "When the newest backup of a database that can be restored was completed.");
    for (const BackupView& one : status.last_backups) {
        out.sample({{"cluster", one.cluster}, {"database", one.database}}, seconds(one.completed_at));
    }
    out.family("agent_last_backup_bytes", "gauge", "Stored size of that backup.");
    for (const BackupView& one : status.last_backups) {
        out.sample({{"cluster", one.cluster}, {"database", one.database}}, real(one.size_bytes));
    }
    out.family("agent_last_snapshot_timestamp_seconds", "gauge",
               "When the newest snapshot of a database was completed.");
    for (const SnapshotView& one : status.last_snapshots) {
        if (!one.completed_at) continue;
        out.sample({{"cluster", one.cluster}, {"database", one.database}}, seconds(*one.completed_at));
    }
    out.family("agent_next_run_timestamp_seconds", "gauge", "When the schedule has the next backup made.");
    for (const NextRunView& one : status.next_runs) {
        out.sample({{"cluster", one.cluster}, {"database", one.database}, {"scope", one.scope}}, seconds(one.at));
    }
}

void add_wal(Exposition& out, const std::vector<WalView>& clusters) {
    const auto family = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
        out.family(name, type, help);
        for (const WalView& view : clusters) {
            const std::optional<double> number = value(view);
            if (number) out.sample({{"cluster", view.cluster}}, *number);
        }
    };
    using Number = std::optional<double>;
    const auto maybe = [](const auto& number) { return number ? Number(real(*number)) : Number(); };
    using View = const WalView&;
    family("wal_backlog_bytes", "gauge", "WAL in pg_wal that waits to be archived.",
           [](View v) { return Number(real(v.backlog_bytes)); });
    family("wal_lag_seconds", "gauge", "Age of the oldest WAL that waits.",
           [&](View v) { return maybe(v.lag_seconds); });
    family("wal_seconds_to_full", "gauge", "Until the disk of pg_wal is full, at the rate of late.",
           [&](View v) { return maybe(v.seconds_to_full); });
    family("wal_spool_bytes", "gauge", "WAL that only this host's spool holds.",
           [](View v) { return Number(real(v.spool_bytes)); });
    family("wal_healthy", "gauge", "0: somebody ought to look.",
           [](View v) { return Number(v.alerts.empty() ? 1 : 0); });
    family("wal_archived_files_total", "counter", "WAL files archived since the agent's start.",
           [](View v) { return Number(real(v.archived_files)); });
    family("wal_archived_bytes_total", "counter", "Stored size of them.",
           [](View v) { return Number(real(v.archived_bytes)); });
    family("wal_failures_total", "counter", "Attempts to archive that failed.",
           [](View v) { return Number(real(v.failed_count)); });
    family("wal_dropped_files_total", "counter", "WAL given up so that the disk does not fill: each is a gap.",
           [](View v) { return Number(real(v.dropped_files)); });
}

}  // namespace

std::string metrics_text(const StatusAnswer& status) {
    Exposition out;
    add_agent(out, status);
    add_backups(out, status);
    add_wal(out, status.wal);
    return std::move(out).text();
}

}  // namespace backstay::local_api
