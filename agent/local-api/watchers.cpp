#include "agent/local-api/watchers.h"

#include <fmt/format.h>

#include "common/json/json.h"

namespace backstay::local_api {
namespace {

constexpr std::uint64_t kBeatMs = 15'000;

}  // namespace

void Watchers::open(const std::string& job_id, http::Exchange& exchange) {
    http::Response head;
    head.headers.add("Content-Type", "text/event-stream");
    head.headers.add("Cache-Control", "no-store");
    streams_[job_id].push_back(exchange.open_stream(std::move(head)));
    if (!heartbeat_) heartbeat_ = std::make_unique<Timer>(loop_, kBeatMs, kBeatMs, [this] { beat(); });
}

// Streams whose peer has gone are forgotten when the next piece fails.
template <class Each>
void Watchers::each(const std::string& job_id, Each act) {
    const auto found = streams_.find(job_id);
    if (found == streams_.end()) return;
    found->second.remove_if([&](const std::unique_ptr<http::ResponseStream>& stream) { return !act(*stream); });
    if (found->second.empty()) streams_.erase(found);
    if (streams_.empty()) heartbeat_.reset();
}

void Watchers::progressed(const std::string& job_id, const Progress& progress) {
    if (!watched(job_id)) return;
    const std::string text = fmt::format("event: progress\ndata: {}\n\n", json::encode_text(progress));
    each(job_id, [&](http::ResponseStream& stream) { return stream.write(text); });
}

void Watchers::ended(const std::string& job_id, const std::string& view) {
    const std::string text = fmt::format("event: end\ndata: {}\n\n", view);
    each(job_id, [&](http::ResponseStream& stream) {
        if (stream.write(text)) stream.end();
        return false;
    });
}

void Watchers::beat() {
    std::vector<std::string> ids;
    for (const auto& [id, streams] : streams_) ids.push_back(id);
    for (const std::string& id : ids) {
        each(id, [](http::ResponseStream& stream) { return stream.write(": still here\n\n"); });
    }
}

}  // namespace backstay::local_api
