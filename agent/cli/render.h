// Tables for people. Columns are as wide as their widest cell; the last one is not padded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/local-api/messages.h"
#include "common/ids.h"

namespace backstay::cli {

class Table {
public:
    explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
    // Cells are made printable.
    void add(std::vector<std::string> row);
    bool empty() const { return rows_.size() == 1; }
    std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

// "2026-01-02 12:00:05", UTC
std::string when(Timestamp time);
// The eight characters that tell ids apart.
std::string shorten(const std::string& id);

// `now`: what ages are reckoned from.
std::string render_status(const local_api::StatusAnswer& status, TimeMs now);
std::string render_jobs(const std::vector<local_api::JobView>& jobs);
std::string render_refused(const local_api::RefusedReportList& list);
// Steps, copies and the verdict with its reasons.
std::string render_job(const local_api::JobDetail& detail);
std::string render_backups(const local_api::BackupList& list);
std::string render_snapshots(const local_api::SnapshotList& list, TimeMs now);
std::string render_check(const local_api::CheckAnswer& answer);
std::string render_wal_setup(const local_api::WalSetupAnswer& answer);
// "all green", or "red: 1 reason, and 2 amber"
std::string health_line(const local_api::WhyAnswer& answer);
std::string render_why(const local_api::WhyAnswer& answer, TimeMs now);
std::string render_limits(const local_api::LimitsView& limits);

}  // namespace backstay::cli
