#include "agent/courier/delivery.h"

#include "agent/state/outbox.h"
#include "common/log.h"

namespace backstay {
namespace {

using control_plane::Report;

constexpr std::size_t kBatchMax = 100;
constexpr std::size_t kBytesMax = 512 << 10;  // half of what the server takes

bool not_understood(const Error& error) {
    const auto status = error.facts().find("http_status");
    return status != error.facts().end() &&
           (status->second == "400" || status->second == "413" || status->second == "422");
}

void cut(std::vector<Report>& reports) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < reports.size(); ++i) {
        bytes += json::encode_text(reports[i]).size();
        if (bytes > kBytesMax && i > 0) return reports.resize(i);
    }
}

}  // namespace

Result<> Delivery::deliver(control_plane::ControlPlaneClient& client) {
    while (TRY(deliver_batch(client))) {
    }
    return {};
}

// True when something left the outbox: there may be more.
Result<bool> Delivery::deliver_batch(control_plane::ControlPlaneClient& client) {
    control_plane::ReportBatch batch;
    batch.instance_id = instance_id_;
    batch.reports = TRY(Outbox(database_).oldest(batch_max_));
    if (batch.reports.empty()) return false;
    cut(batch.reports);
    const auto answer = client.report(batch);
    if (!answer && not_understood(answer.error())) {
        if (batch.reports.size() > 1) {
            batch_max_ = 1;
            return true;
        }
        const Report& lost = batch.reports.front();
        log::error("report not understood, its job's reports are dropped",
                   {{"job", lost.job_id}, {"seq", lost.seq}, {"error", answer.error().message()}});
        TRY(Outbox(database_).set_aside(lost.job_id, lost.fence, {lost.seq, "http", answer.error().message()}));
        TRY(Outbox(database_).drop(lost.job_id, lost.fence));
        return true;
    }
    if (!answer) return answer.error();
    batch_max_ = kBatchMax;
    bool moved = false;
    for (const control_plane::ReportAck& ack : answer->acks) {
        const bool left = TRY(take(ack));
        moved = moved || left;
    }
    if (!moved) return Error(Errc::unavailable, "the control plane acknowledged none of the reports");
    return true;
}

Result<bool> Delivery::take(const control_plane::ReportAck& ack) {
    Outbox outbox(database_);
    for (const control_plane::RejectedReport& rejected : ack.rejected) {
        log::error("report refused for good",
                   {{"job", ack.job_id}, {"seq", rejected.seq}, {"code", rejected.code}, {"why", rejected.message}});
        TRY(outbox.set_aside(ack.job_id, ack.fence, rejected));
    }
    if (!ack.refused) {
        // Counted by what was removed, not by the size: workers add to the outbox meanwhile.
        const std::int64_t left = TRY(outbox.acknowledge(ack.job_id, ack.fence, ack.seq));
        return left > 0 || !ack.rejected.empty();
    }
    log::warning("reports refused", {{"job", ack.job_id}, {"fence", ack.fence}, {"why", ack.message}});
    const std::int64_t dropped = TRY(outbox.drop(ack.job_id, ack.fence));
    refused_(ack.job_id, ack.fence);
    return dropped > 0;
}

}  // namespace backstay
