#include "control-plane/progress/event_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "control-plane/api/answer.h"

namespace backstay::progress {
namespace {

using Lane = store::DatabaseThreads::Lane;

constexpr std::int64_t kComeAgainSeconds = 5;

// 0 when it is absent or no number: the stream then begins with the present state.
std::int64_t last_event_id(const http::Request& request) {
    const std::string_view text = request.headers.get("Last-Event-ID");
    std::int64_t id = 0;
    const auto [stopped, fault] = std::from_chars(text.data(), text.data() + text.size(), id);
    return fault == std::errc{} && stopped == text.data() + text.size() && id > 0 ? id : 0;
}

std::string frame(std::string_view kind, const operations::ProgressEvent& event) {
    return fmt::format("id: {}\nevent: {}-progress\ndata: {}\n\n", event.id, kind, event.payload);
}

http::Response stream_head() {
    http::Response head;
    head.headers.set("Content-Type", "text/event-stream");
    head.headers.set("Cache-Control", "no-cache, no-store");
    head.headers.set("X-Accel-Buffering", "no");
    return head;
}

}  // namespace

// A request whose operation is being looked up.
struct EventStreams::Waiting {
    std::unique_ptr<http::Exchange> exchange;
    Slots::Slot slot;
    std::string organization;
    std::int64_t after = 0;
};

struct EventStreams::Stream {
    std::unique_ptr<http::ResponseStream> out;
    Slots::Slot slot;
    std::string organization;
    std::string operation;
    std::int64_t sent = 0;
};

EventStreams::EventStreams(Loop& loop, store::DatabaseThreads& threads, std::size_t most)
    : threads_(threads),
      most_(most),
      keep_alive_timer_(loop, kKeepAliveMs, kKeepAliveMs, [this] { keep_alive(); }),
      look_timer_(loop, kLookMs, kLookMs, [this] { look_around(); }) {}

EventStreams::~EventStreams() = default;

void EventStreams::open(api::Call call, std::unique_ptr<http::Exchange> exchange, Find find) {
    // Who signs tokens elsewhere may give the same subject to people of several organizations.
    auto slot = slots_.take(call.organization_id + " " + call.principal.id, most_);
    if (!slot) {
        return exchange->respond(api::error_answer(
            api::too_many("too_many_streams", "too many open streams of this credential", kComeAgainSeconds)));
    }
    const std::uint64_t key = ++last_key_;
    const std::int64_t after = last_event_id(call.request);
    const std::string organization = call.organization_id;
    exchange->on_abandoned([this, key] { waiting_.erase(key); });
    waiting_.emplace(key,
                     std::make_unique<Waiting>(Waiting{std::move(exchange), std::move(*slot), organization, after}));

    const bool taken = threads_.submit(
        Lane::read,
        [this, key, after, call = std::move(call), find = std::move(find)](sql::Database& db) mutable {
            auto operation = find(call, db);
            if (!operation) {
                return store::DatabaseThreads::Done(
                    [this, key, error = std::move(operation).error()]() mutable { start(key, "", std::move(error)); });
            }
            auto news = read_news(db, *operation, after);
            return store::DatabaseThreads::Done(
                [this, key, id = *operation, news = std::move(news)]() mutable { start(key, id, std::move(news)); });
        },
        organization);
    if (!taken) start(key, "", api::problem(503, "busy", "too much to do at the moment"));
}

Result<EventStreams::News> EventStreams::read_news(sql::Database& db, const std::string& operation,
                                                   std::int64_t after) {
    // The head first: when it says that all is over, the last event is among those read behind it.
    const auto head = TRY(operations::operation_head(db, operation));
    if (!head) return api::not_found("operation");
    News news;
    news.kind = head->kind;
    news.ended = head->ended;
    // A counter ahead of ours belongs to something else; a finished operation always sends its final event.
    news.whole = after <= 0 || after > head->event_id || (head->ended && after == head->event_id);
    news.events = TRY(operations::events_after(db, operation, news.whole ? head->event_id - 1 : after));
    return news;
}

void EventStreams::start(std::uint64_t key, const std::string& operation, Result<News> news) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;  // it went away meanwhile
    const std::unique_ptr<Waiting> waiting = std::move(found->second);
    waiting_.erase(found);
    if (!news) return waiting->exchange->respond(api::error_answer(news.error()));

    auto stream =
        std::make_unique<Stream>(Stream{waiting->exchange->open_stream(stream_head()), std::move(waiting->slot),
                                        std::move(waiting->organization), operation, news->whole ? 0 : waiting->after});
    if (!stream->out->write("retry: 3000\n\n")) return;
    stream->out->on_closed([this, key] { drop(key); });
    Stream& opened = *stream;
    streams_.emplace(key, std::move(stream));
    followers_[operation].insert(key);
    if (!write(opened, *news)) return drop(key);
    pump(operation);  // what changed between the reading and now
}

void EventStreams::publish(const std::set<std::string>& operations) {
    for (const std::string& operation : operations) {
        if (followers_.contains(operation)) pump(operation);
    }
}

void EventStreams::drop(std::uint64_t key) {
    const auto found = streams_.find(key);
    if (found == streams_.end()) return;
    const auto followers = followers_.find(found->second->operation);
    followers->second.erase(key);
    if (followers->second.empty()) followers_.erase(followers);
    streams_.erase(found);
}

void EventStreams::pump(const std::string& operation) {
    const auto [entry, first] = reading_.try_emplace(operation, false);
    if (!first) {
        entry->second = true;
        return;
    }
    std::optional<std::int64_t> oldest;
    std::string organization;
    const auto followers = followers_.find(operation);
    if (followers != followers_.end()) {
        for (const std::uint64_t key : followers->second) {
            const Stream& stream = *streams_.at(key);
            oldest = std::min(oldest.value_or(stream.sent), stream.sent);
            organization = stream.organization;  // one has them all
        }
    }
    const bool taken = threads_.submit(
        Lane::read,
        [this, operation, oldest = oldest.value_or(0)](sql::Database& db) {
            auto news = read_news(db, operation, oldest);
            return store::DatabaseThreads::Done(
                [this, operation, news = std::move(news)] { deliver(operation, news); });
        },
        organization);
    if (!taken) reading_.erase(operation);  // the next look asks again
}

void EventStreams::deliver(const std::string& operation, const Result<News>& news) {
    const auto entry = reading_.find(operation);
    const bool again = entry != reading_.end() && entry->second;
    reading_.erase(operation);
    const auto followers = followers_.find(operation);
    if (news && followers != followers_.end()) {
        std::vector<std::uint64_t> over;
        for (const std::uint64_t key : followers->second) {
            if (!write(*streams_.at(key), *news)) over.push_back(key);
        }
        for (const std::uint64_t key : over) drop(key);
    }
    if (again) pump(operation);
}

bool EventStreams::write(Stream& stream, const News& news) {
    for (const operations::ProgressEvent& event : news.events) {
        if (event.id <= stream.sent) continue;
        if (!stream.out->write(frame(news.kind, event))) return false;
        stream.sent = event.id;
    }
    if (!news.ended) return true;
    stream.out->end();
    return false;
}

void EventStreams::keep_alive() {
    std::vector<std::uint64_t> over;
    for (const auto& [key, stream] : streams_) {
        if (!stream->out->write(": keep-alive\n\n")) over.push_back(key);
    }
    for (const std::uint64_t key : over) drop(key);
}

void EventStreams::look_around() {
    if (looking_ || streams_.empty()) return;
    std::map<std::string, std::int64_t> sent;
    for (const auto& [key, stream] : streams_) {
        const auto [at, first] = sent.try_emplace(stream->operation, stream->sent);
        if (!first) at->second = std::min(at->second, stream->sent);
    }
    looking_ = threads_.submit(Lane::read, [this, seen = std::move(sent)](sql::Database& db) {
        auto moved = operations::moved_on(db, seen);
        return store::DatabaseThreads::Done([this, moved = std::move(moved)] {
            looking_ = false;
            if (moved) publish(*moved);
        });
    });
}

void EventStreams::close_all() {
    for (const auto& [key, stream] : streams_) stream->out->end();
    streams_.clear();
    followers_.clear();
    for (const auto& [key, waiting] : waiting_) {
        waiting->exchange->respond(api::error_answer(503, "stopping", "the control plane is stopping"));
    }
    waiting_.clear();
}

}  // namespace backstay::progress
