#include "agent/storage-desk/storage_desk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/storage-desk/delivery.h"
#include "agent/storage-desk/odoo_zip.h"
#include "common/event/byte_pipe.h"
#include "common/log.h"
#include "storage/backoff.h"
#include "storage/destination_json.h"

namespace backstay {
namespace {

using control_plane::ControlPlaneClient;
using control_plane::StorageAnswer;
using control_plane::StorageObject;
using control_plane::StorageRequest;

constexpr std::size_t kMostWaiting = 100;
constexpr std::string_view kOdooZip = "odoo_zip";
constexpr int kQuestionThreads = 2;
constexpr int kTransferThreads = 8;
constexpr std::int64_t kTellForMs = 45'000;
constexpr std::uint64_t kFirstPauseMs = 200;
constexpr std::uint64_t kLongestPauseMs = 5'000;

StorageObject shown(const ObjectInfo& object) {
    return {object.key, object.size_bytes, {object.modified_at}, object.etag};
}

StorageAnswer failure_of(const Error& error) {
    StorageAnswer answer;
    answer.failure = {std::string(to_string(error.code())), error.reason(), error.message()};
    return answer;
}

Result<std::unique_ptr<Storage>> open(const StorageRequest& request, const AgentConfig& config,
                                      const std::stop_token& stop) {
    const Destination destination = TRY(decode_destination(request.destination));
    // Others are reached without us: nobody shall use this host as a way into its network.
    if (destination.type != "local") return Error(Errc::invalid, "only local destinations are shown by their agent");
    StorageContext context;
    context.local_roots = config.local_roots;
    context.stop = stop;
    return open_storage(destination, context);
}

Result<StorageAnswer> list(const StorageRequest& request, Storage& storage) {
    const ListQuery query{request.prefix, request.one_level, request.continue_after,
                          std::clamp<std::uint64_t>(request.max_entries, 1, 10'000)};
    ListPage page = TRY(storage.list(query));
    StorageAnswer answer;
    for (const ObjectInfo& object : page.objects) answer.objects.push_back(shown(object));
    answer.folders = std::move(page.folders);
    answer.next = std::move(page.next);
    return answer;
}

// The control plane gives the bytes, a thread of ours takes them from the connection.
Result<StorageAnswer> write(const StorageRequest& request, Storage& storage, ControlPlaneClient& client) {
    BytePipe pipe;
    std::thread receiver([&] {
        PipeSink sink(pipe);
        if (auto got = client.get_content(request.request_id, sink); got) {
            pipe.finish();
        } else {
            pipe.fail(got.error());
        }
    });
    PipeSource source(pipe);
    PutOptions options;
    options.expected_bytes = request.expected_bytes;
    auto stored = storage.put(request.key, source, options);
    pipe.close(Error(Errc::cancelled, "nothing more is wanted"));
    receiver.join();
    StorageAnswer answer;
    answer.object = shown(TRY(std::move(stored)));
    return answer;
}

Result<StorageAnswer> ask(const StorageRequest& request, Storage& storage, ControlPlaneClient& client) {
    StorageAnswer answer;
    if (request.action == "list") return list(request, storage);
    if (request.action == "write") return write(request, storage, client);
    if (request.action == "stat") {
        answer.object = shown(TRY(storage.stat(request.key)));
    } else if (request.action == "remove") {
        TRY(storage.remove(request.key));
    } else if (request.action == "free") {
        answer.free_bytes = TRY(storage.free_bytes());
    } else {
        return Error(Errc::invalid, "this agent does not know the action " + request.action);
    }
    return answer;
}

// The content is the answer; what goes wrong before its first byte can still be told.
Result<> read(const StorageRequest& request, Storage& storage, ControlPlaneClient& client) {
    const ObjectInfo object = TRY(storage.stat(request.key));
    const std::uint64_t rest = object.size_bytes - std::min(request.first, object.size_bytes);
    const std::uint64_t bytes = request.count == 0 ? rest : std::min(request.count, rest);
    BytePipe pipe;
    std::thread reader([&] {
        PipeSink sink(pipe);
        if (auto got = storage.get(request.key, {request.first, bytes}, sink); got) {
            pipe.finish();
        } else {
            pipe.fail(got.error());
        }
    });
    PipeSource source(pipe);
    const auto sent = deliver(client, request, source, bytes);
    pipe.close(Error(Errc::cancelled, "nobody wants more"));
    reader.join();
    return sent;
}

// Whoever asked waits for a minute: the control plane may be back by then, or another of its replicas reached.
Result<> tell(ControlPlaneClient& client, const StorageRequest& request, const StorageAnswer& answer,
              const std::stop_token& stop) {
    const std::int64_t until = steady_ms() + kTellForMs;
    for (int attempt = 1;; ++attempt) {
        auto told = client.answer_storage(request.request_id, answer);
        const bool may_pass = !told && told.error().code() == Errc::unavailable;
        if (!may_pass || steady_ms() >= until) return told;
        TRY(wait_ms(backoff_ms(attempt, kFirstPauseMs, kLongestPauseMs), stop));
    }
}

void handle(const StorageRequest& request, const AgentConfig& config, control_plane::ClientConfig contact,
            const std::stop_token& stop) {
    contact.stop = stop;
    ControlPlaneClient client(std::move(contact));
    auto answered = [&]() -> Result<std::optional<StorageAnswer>> {
        if (request.action == kOdooZip) {
            TRY(send_odoo_zip(request, config, client, stop));
            return std::optional<StorageAnswer>();
        }
        const auto storage = TRY(open(request, config, stop));
        if (request.action == "read") {
            TRY(read(request, *storage, client));
            return std::optional<StorageAnswer>();
        }
        return std::optional(TRY(ask(request, *storage, client)));
    }();
    if (answered && !*answered) return;
    const StorageAnswer answer = answered ? std::move(**answered) : failure_of(answered.error());
    if (const auto told = tell(client, request, answer, stop); !told)
        log::info("storage request not answered", {{"action", request.action}, {"error", told.error().message()}});
}

}  // namespace

void StorageDesk::start() {
    for (int i = 0; i < kQuestionThreads; ++i) threads_.emplace_back([this] { serve(questions_); });
    for (int i = 0; i < kTransferThreads; ++i) threads_.emplace_back([this] { serve(transfers_); });
}

void StorageDesk::stop() {
    std::vector<std::stop_source> ending;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (const auto& [id, stop] : running_) ending.push_back(stop);
    }
    for (std::stop_source& stop : ending) stop.request_stop();
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void StorageDesk::cancel(const std::string& request_id) {
    std::optional<std::stop_source> running;
    {
        const std::lock_guard lock(mutex_);
        for (Queue* queue : {&questions_, &transfers_}) {
            std::erase_if(queue->waiting,
                          [&](const Waiting& waiting) { return waiting.request.request_id == request_id; });
        }
        if (const auto found = running_.find(request_id); found != running_.end()) running = found->second;
    }
    // Not under the lock: it calls whoever waits.
    if (running) running->request_stop();
}

void StorageDesk::take(StorageRequest request, control_plane::ClientConfig contact) {
    if (request.action == "cancel") return cancel(request.request_id);
    {
        const std::lock_guard lock(mutex_);
        Queue& queue = request.action == "read" || request.action == "write" || request.action == kOdooZip ? transfers_
                                                                                                           : questions_;
        if (queue.waiting.size() >= kMostWaiting) return;
        queue.waiting.push_back({std::move(request), std::move(contact)});
    }
    wake_.notify_all();
}

void StorageDesk::serve(Queue& queue) {
    while (true) {
        Waiting next;
        std::stop_token stop;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return stopping_ || !queue.waiting.empty(); });
            if (stopping_) return;
            next = std::move(queue.waiting.front());
            queue.waiting.pop_front();
            stop = running_[next.request.request_id].get_token();
        }
        handle(next.request, config_(), std::move(next.contact), stop);
        const std::lock_guard lock(mutex_);
        running_.erase(next.request.request_id);
    }
}

}  // namespace backstay
