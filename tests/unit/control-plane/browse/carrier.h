// What carries content in the control plane, over real sockets, with an agent that looks into one local destination.
// It ends as the daemon does: the loop first, then connections, threads, and what they look at.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <set>
#include <stop_token>
#include <thread>

#include "control-plane/browse/transfers.h"
#include "control-plane/browse/uploads.h"
#include "control-plane/store/destination_config.h"
#include "tests/support/raw_client.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::browse {

inline bool in_time(const std::function<bool()>& so) {
    const std::int64_t until = steady_ms() + 60'000;
    while (steady_ms() < until) {
        if (so()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
}

class Carrier {
public:
    Carrier()
        : box_(SecretBox::create(folder_.path() + "/key").value()),
          desk_([](const std::string&) {}),
          reach_(box_, http::AddressRule::any, desk_),
          loop_(Loop::create().value()),
          threads_(store::DatabaseThreads::start(world_.path(),
                                                 [this](std::function<void()> task) { loop_->post(std::move(task)); })
                       .value()),
          pumps_(std::make_unique<relay::Pumps>(*loop_)),
          transfers_(std::make_unique<Transfers>(*loop_, *threads_, reach_, *pumps_)),
          uploads_(std::make_unique<Uploads>(*loop_, *threads_, reach_, *pumps_, transfers_->slots())) {
        store::DestinationRow row;
        destination_ = row.id = new_uuid();
        row.organization_id = world_.organization_id;
        row.name = "here";
        row.type = "local";
        row.config_box = store::seal_config(box_, row.id, {{"path", "/srv"}});
        auto transaction = sql::Transaction::begin(world_.db()).value();
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row));
        EXPECT_TRUE(transaction.commit());
        http::Server::Options options;
        options.streamed_body = [](const http::Request& request) -> std::optional<std::uint64_t> {
            if (request.method != "POST") return std::nullopt;
            return std::uint64_t{1} << 30U;
        };
        server_ = http::Server::create(*loop_, std::move(options), [this](std::unique_ptr<http::Exchange> exchange) {
                      handle(std::move(exchange));
                  }).value();
        port_ = server_->listen_tcp("127.0.0.1", 0).value();
        loop_thread_ = std::thread([this] { loop_->run(); });
    }
    ~Carrier() {
        loop_->post([this] { loop_->stop(); });
        loop_thread_.join();
        server_.reset();
        transfers_->stop();
        uploads_->stop();
        desk_.stop();
        threads_->stop();
    }
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;

    testing::RawClient get(const std::string& path) {
        testing::RawClient client(port_);
        client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
        return client;
    }
    testing::RawClient post(const std::string& path) {
        testing::RawClient client(port_);
        client.send("POST " + path +
                    " HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: "
                    "1000000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n");
        return client;
    }
    // What an agent's poll would take next.
    control_plane::StorageRequest next_for_agent() {
        const std::int64_t until = steady_ms() + 60'000;
        while (waiting_.empty() && steady_ms() < until) {
            waiting_ = desk_.take(world_.agent.id);
            if (waiting_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (waiting_.empty()) return {};
        auto first = std::move(waiting_.front());
        waiting_.erase(waiting_.begin());
        return first;
    }
    void answer(const control_plane::StorageRequest& request, const control_plane::StorageAnswer& answer) {
        EXPECT_TRUE(desk_.answer(world_.agent.id, request.request_id, answer));
    }
    SharedPipe content(const control_plane::StorageRequest& request) {
        return desk_.content(world_.agent.id, request.request_id, request.action);
    }
    // Nothing is under way, and all threads rest.
    bool at_rest() {
        std::promise<std::size_t> count;
        loop_->post([&] { count.set_value(transfers_->under_way() + uploads_->under_way() + pumps_->size()); });
        return count.get_future().get() == 0 && threads_->busy(store::DatabaseThreads::Lane::transfer) == 0;
    }
    int making() const { return making_; }
    // What /asked?org= is answered with, on a storage thread. Before the first request.
    void answer_asked(std::function<Result<http::Response>(const std::string& org)> ask) { ask_ = std::move(ask); }
    std::size_t asked() const {
        return threads_->queued(store::DatabaseThreads::Lane::storage) +
               threads_->busy(store::DatabaseThreads::Lane::storage);
    }
    relay::StorageDesk& desk() { return desk_; }
    const std::string& agent() const { return world_.agent.id; }

private:
    void handle(std::unique_ptr<http::Exchange> exchange) {
        const http::Request request = exchange->request();
        const std::string& path = request.path;
        if (path == "/object") {
            return transfers_->send(std::move(exchange),
                                    {world_.organization_id, destination_, "a/object", "", {}, "the ticket"});
        }
        if (path == "/upload") return uploads_->take(call(request), std::move(exchange), 1 << 30);
        if (path.starts_with("/content/")) return take_content(path.substr(9), std::move(exchange));
        const std::string* organization = request.query_value("org");
        if (path == "/asked") {
            return transfers_->ask(std::move(exchange), *organization,
                                   [this, of = *organization](sql::Database&) { return ask_(of); });
        }
        std::vector<Bound> bounds;
        if (organization != nullptr) bounds.push_back(transfers_of(*organization));
        transfers_->make(std::move(exchange), organization == nullptr ? "" : *organization, bounds, {},
                         [this, path](sql::Database&, Sink& sink, const std::stop_token& stop) {
                             ++making_;
                             auto made = make(path, sink, stop);
                             --making_;
                             return made;
                         });
    }

    Result<> make(const std::string& path, Sink& sink, const std::stop_token& stop) {
        if (path == "/relayed") {
            control_plane::StorageRequest request;
            request.action = "read";
            return desk_.fetch(world_.agent.id, request, sink, stop);
        }
        const std::string piece(path == "/endless" ? 64 * 1024 : 3, 'x');
        if (path != "/silent") TRY(sink.write(as_bytes(piece)));
        while (path == "/endless") TRY(sink.write(as_bytes(piece)));
        // As a store or an agent that says nothing more.
        for (int i = 0; i < 120'000 && !stop.stop_requested(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return Error(Errc::cancelled, "stopped");
    }

    void take_content(const std::string& id, std::unique_ptr<http::Exchange> exchange) {
        auto pipe = desk_.content(world_.agent.id, id, "read");
        if (pipe == nullptr) return exchange->respond({404, {}, ""});
        pumps_->receive_body(std::move(exchange), std::move(pipe), [](std::unique_ptr<http::Exchange> peer, bool) {
            if (peer != nullptr) peer->respond({200, {}, ""});
        });
    }

    api::Call call(const http::Request& request) const {
        api::Call call;
        call.request = request;
        call.organization_id = world_.organization_id;
        call.params.emplace("destId", destination_);
        call.now = 1;
        return call;
    }

    dispatch::World world_;
    testing::TempDir folder_;
    SecretBox box_;
    relay::StorageDesk desk_;
    Reach reach_;
    std::string destination_;
    std::vector<control_plane::StorageRequest> waiting_;
    std::atomic<int> making_ = 0;
    std::function<Result<http::Response>(const std::string&)> ask_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<store::DatabaseThreads> threads_;
    std::unique_ptr<relay::Pumps> pumps_;
    std::unique_ptr<Transfers> transfers_;
    std::unique_ptr<Uploads> uploads_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
    std::thread loop_thread_;
};

}  // namespace backstay::browse
