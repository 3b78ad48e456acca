#include "agent/assignments.h"

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "common/log.h"

namespace backstay {
namespace {

JobRow row_of(const control_plane::Assignment& assignment, TimeMs now) {
    JobRow row;
    row.job_id = assignment.job_id;
    row.fence = assignment.fence;
    row.attempt = assignment.attempt;
    row.kind = assignment.kind;
    row.origin = kOriginControlPlane;
    row.requested_by = "control plane";
    row.created_at = {now};
    row.reported = true;
    return row;
}

void reject(const JobRow& row, sqlite::Database& database, const std::string& message) {
    log::warning("assignment rejected", {{"job", row.job_id}, {"kind", row.kind}, {"error", message}});
    const auto stored = JobRepository(database).reject(row, std::string(reason::kPreflightFailed), message);
    if (!stored && stored.error().code() != Errc::conflict) {
        log::error("assignment not recorded", {{"job", row.job_id}, {"error", stored.error().message()}});
    }
}

}  // namespace

void take_assignment(const control_plane::Assignment& assignment, const Settings& settings, Worker& worker,
                     sqlite::Database& database) {
    JobRow row = row_of(assignment, settings.clock().now_ms());
    auto order = decode_order(assignment.kind, assignment.order);
    if (order && !is_uuid(operation_of(*order))) {
        order = Error(Errc::invalid, "the order has no id");
    }
    if (!order) {
        row.operation_id = assignment.job_id;
        return reject(row, database, order.error().message());
    }
    row.operation_id = operation_of(*order);
    row.order = without_secrets(*order);
    if (const EnvironmentOrder* environment = environment_of(*order)) {
        row.cluster = environment->cluster.value_or("");
        row.database = environment->database;
    }
    const auto taken = worker.submit(database, JobRequest{row, std::move(*order)});
    if (taken || taken.error().code() == Errc::conflict) return;
    log::warning("assignment not taken", {{"job", row.job_id}, {"error", taken.error().message()}});
}

}  // namespace backstay
