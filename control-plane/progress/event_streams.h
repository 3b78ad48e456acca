// Progress as server-sent events: each open stream follows one operation. Lives on the loop thread; reads the store on
// reading threads. An event's id is the operation's own counter, so that Last-Event-ID resumes where a peer was cut.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/event/loop.h"
#include "common/http/server.h"
#include "common/slots.h"
#include "control-plane/api/call.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/database_threads.h"

namespace backstay::progress {

inline constexpr std::uint64_t kKeepAliveMs = 15'000;
// What nobody published is found within this time.
inline constexpr std::uint64_t kLookMs = 5'000;

class EventStreams {
public:
    // Answers the id of the operation to follow; runs on a reading thread and refuses with api::problem.
    using Find = std::function<Result<std::string>(api::Call&, sql::Database&)>;

    // At most so many of one credential.
    EventStreams(Loop& loop, store::DatabaseThreads& threads, std::size_t most);

    // Sends the present state at once (with Last-Event-ID: all that came after it), then every change, and ends after
    // the one that ends the operation. 429 too_many_streams when the credential has all it may.
    void open(api::Call call, std::unique_ptr<http::Exchange> exchange, Find find);
    // These operations changed.
    void publish(const std::set<std::string>& operations);
    // Any of those that are followed may have changed.
    void look_around();
    // Ends every stream: the daemon stops. Peers come back by themselves.
    void close_all();
    std::size_t size() const { return streams_.size(); }

private:
    struct Waiting;
    struct Stream;
    struct News {
        bool ended = false;
        bool whole = false;  // told from the head on, whatever the reader had seen
        std::string kind;
        std::vector<operations::ProgressEvent> events;
    };

    static Result<News> read_news(sql::Database& db, const std::string& operation, std::int64_t after);
    void start(std::uint64_t key, const std::string& operation, Result<News> news);
    void pump(const std::string& operation);
    void deliver(const std::string& operation, const Result<News>& news);
    // False: the stream is over.
    bool write(Stream& stream, const News& news);
    void keep_alive();

    void drop(std::uint64_t key);

    store::DatabaseThreads& threads_;
    const std::size_t most_;
    Slots slots_;  // of each credential
    std::uint64_t last_key_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Waiting>> waiting_;
    std::map<std::uint64_t, std::unique_ptr<Stream>> streams_;
    std::map<std::string, std::set<std::uint64_t>> followers_;  // operation → streams
    // Operations whose news are being read; true: they changed again meanwhile.
    std::map<std::string, bool> reading_;
    bool looking_ = false;
    Timer keep_alive_timer_;
    Timer look_timer_;

public:
    ~EventStreams();
};

}  // namespace backstay::progress
