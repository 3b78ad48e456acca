#include "control-plane/browse/transfers.h"

#include "control-plane/api/answer.h"
#include "control-plane/browse/paths.h"
#include "control-plane/relay/pumps.h"

namespace backstay::browse {

using Done = store::DatabaseThreads::Done;

namespace {

// Tells of its first byte.
class LateSink final : public Sink {
public:
    LateSink(BytePipe& pipe, std::function<void()> on_first) : pipe_(pipe), on_first_(std::move(on_first)) {}
    Result<> write(ByteSpan bytes) override {
        if (on_first_) std::exchange(on_first_, {})();
        return pipe_.write(bytes);
    }

private:
    BytePipe& pipe_;
    std::function<void()> on_first_;
};

}  // namespace

void Transfers::send(std::unique_ptr<http::Exchange> exchange, Order order) {
    const std::uint64_t number = ++last_number_;
    http::Request request = exchange->request();
    waiting_.emplace(number, std::move(exchange));
    const bool taken = threads_.submit(
        store::DatabaseThreads::Lane::transfer,
        [this, number, order = std::move(order), request = std::move(request)](sqlite::Database& db) -> Done {
            auto ran = run(number, order, request, db);
            if (ran) return {};
            return [this, number, response = api::error_answer(ran.error())] { answer(number, response); };
        });
    if (!taken) answer(number, api::error_answer(503, "overloaded", "too many transfers are on their way; try again"));
}

void Transfers::make(std::unique_ptr<http::Exchange> exchange, http::Response head, Make make) {
    const std::uint64_t number = ++last_number_;
    waiting_.emplace(number, std::move(exchange));
    const bool taken =
        threads_.submit(store::DatabaseThreads::Lane::transfer,
                        [this, number, head = std::move(head), make = std::move(make)](sqlite::Database& db) -> Done {
                            run_make(number, head, make, db);
                            return {};
                        });
    if (!taken) answer(number, api::error_answer(503, "overloaded", "too many transfers are on their way; try again"));
}

void Transfers::run_make(std::uint64_t number, const http::Response& head, const Make& make, sqlite::Database& db) {
    const auto pipe = std::make_shared<BytePipe>();
    bool begun = false;
    LateSink sink(*pipe, [&] {
        begun = true;
        loop_.post([this, number, pipe, head] { begin(number, head, pipe); });
    });
    auto made = make(db, sink);
    if (made && begun) return pipe->finish();
    if (begun) return pipe->fail(made.error());
    const Error error = made ? Error(Errc::corrupted, "there is no content") : made.error();
    loop_.post([this, number, response = api::error_answer(error)] { answer(number, response); });
}

// On a transfer thread. An error is one that can still be answered.
Result<> Transfers::run(std::uint64_t number, const Order& order, const http::Request& request, sqlite::Database& db) {
    if (order.instead) {
        if (auto other = TRY(order.instead(db))) {
            loop_.post([this, number, response = std::move(*other)] { answer(number, response); });
            return {};
        }
    }
    const auto row = TRY(store::Destinations(db).find(order.organization_id, order.destination_id));
    if (!row) return api::not_found("backup destination");
    const auto storage = TRY(reach_.open(db, *row));
    const auto object = storage->stat(order.key);
    if (!object) return storage_problem(object.error(), row->id);
    const std::string name = order.download_name.empty() ? std::string(file_name(order.key)) : order.download_name;
    ContentPlan plan = plan_content(request, *object, name);
    if (!plan.has_body || request.method == "HEAD") {
        loop_.post([this, number, head = std::move(plan.head)] { answer(number, head); });
        return {};
    }
    const auto pipe = std::make_shared<BytePipe>();
    loop_.post([this, number, pipe, head = std::move(plan.head)] { begin(number, head, pipe); });
    PipeSink sink(*pipe);
    if (auto got = storage->get(order.key, plan.range, sink); got) {
        pipe->finish();
    } else {
        pipe->fail(got.error());
    }
    return {};
}

void Transfers::answer(std::uint64_t number, http::Response response) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    const auto exchange = std::move(found->second);
    waiting_.erase(found);
    exchange->respond(std::move(response));
}

void Transfers::begin(std::uint64_t number, http::Response head, SharedPipe pipe) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    const auto exchange = std::move(found->second);
    waiting_.erase(found);
    relay::send_body(loop_, exchange->open_stream(std::move(head)), std::move(pipe));
}

}  // namespace backstay::browse
