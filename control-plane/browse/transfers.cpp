#include "control-plane/browse/transfers.h"

#include <utility>

#include "control-plane/api/answer.h"
#include "control-plane/browse/paths.h"

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

Error not_wanted() { return Error(Errc::cancelled, "nobody waits for it any more"); }

}  // namespace

std::stop_callback<std::function<void()>> closed_by(const std::stop_token& stop, BytePipe& pipe) {
    return std::stop_callback<std::function<void()>>(stop, [&pipe] { pipe.close(not_wanted()); });
}

Bound transfers_of(const std::string& organization) {
    return {"organization " + organization, kTransfersPerOrganization};
}

Bound zips_of(const std::string& organization) { return {"zips " + organization, kZipsPerOrganization}; }

Result<Slots::Slot> take_slot(Slots& slots, const Bound& bound) {
    auto slot = slots.take(bound.of, bound.most);
    if (slot) return std::move(*slot);
    return api::too_many("too_many_transfers", "too many transfers of this kind are under way; try again",
                         kComeAgainSeconds);
}

void Transfers::start(std::unique_ptr<http::Exchange> exchange, const std::string& organization,
                      const std::vector<Bound>& bounds, Lane lane, Work work) {
    if (stopping_) return exchange->respond(api::error_answer(503, "stopping", "the control plane is stopping"));
    Transfer transfer;
    for (const Bound& bound : bounds) {
        auto slot = take_slot(slots_, bound);
        if (!slot) return exchange->respond(api::error_answer(slot.error()));
        transfer.slots.push_back(std::move(*slot));
    }
    const std::uint64_t number = ++last_number_;
    exchange->on_abandoned([this, number] { gone(number); });
    transfer.exchange = std::move(exchange);
    const bool taken = threads_.submit(
        lane,
        [this, number, stop = transfer.stop.get_token(), work = std::move(work)](sql::Database& db) -> Done {
            auto ran = stop.stop_requested() ? Result<>(not_wanted()) : work(number, stop, db);
            std::optional<http::Response> refusal;
            if (!ran) refusal = api::error_answer(ran.error());
            return [this, number, refusal = std::move(refusal)] { worked(number, refusal); };
        },
        organization);
    transfers_.emplace(number, std::move(transfer));
    if (!taken) worked(number, api::error_answer(503, "overloaded", "too many transfers are on their way; try again"));
}

void Transfers::send(std::unique_ptr<http::Exchange> exchange, Order order) {
    std::vector<Bound> bounds{transfers_of(order.organization_id)};
    if (!order.ticket.empty()) bounds.push_back({"ticket " + order.ticket, 1});
    http::Request request = exchange->request();
    const std::string organization = order.organization_id;
    start(std::move(exchange), organization, bounds, Lane::transfer,
          [this, order = std::move(order), request = std::move(request)](
              std::uint64_t number, const std::stop_token& stop, sql::Database& db) {
              return run(number, stop, order, request, db);
          });
}

void Transfers::make(std::unique_ptr<http::Exchange> exchange, const std::string& organization,
                     std::vector<Bound> bounds, http::Response head, Make make) {
    start(std::move(exchange), organization, bounds, Lane::transfer,
          [this, head = std::move(head), make = std::move(make)](std::uint64_t number, const std::stop_token& stop,
                                                                 sql::Database& db) {
              return run_make(number, stop, head, make, db);
          });
}

void Transfers::ask(std::unique_ptr<http::Exchange> exchange, const std::string& organization, Ask ask) {
    start(std::move(exchange), organization, {}, Lane::storage,
          [this, ask = std::move(ask)](std::uint64_t number, const std::stop_token&, sql::Database& db) -> Result<> {
              auto response = TRY(ask(db));
              post_answer(number, std::move(response));
              return {};
          });
}

// On a transfer thread, as run().
Result<> Transfers::run_make(std::uint64_t number, const std::stop_token& stop, const http::Response& head,
                             const Make& make, sql::Database& db) {
    const auto pipe = std::make_shared<BytePipe>();
    const auto closing = closed_by(stop, *pipe);
    bool begun = false;
    LateSink sink(*pipe, [&] {
        begun = true;
        post_body(number, head, pipe);
    });
    auto made = make(db, sink, stop);
    if (!begun) return made ? Result<>(Error(Errc::corrupted, "there is no content")) : made;
    if (made) {
        pipe->finish();
    } else {
        pipe->fail(made.error());
    }
    return {};
}

Result<> Transfers::run(std::uint64_t number, const std::stop_token& stop, const Order& order,
                        const http::Request& request, sql::Database& db) {
    if (order.instead) {
        if (auto other = TRY(order.instead(db, stop))) {
            post_answer(number, std::move(*other));
            return {};
        }
    }
    const auto row = TRY(store::Destinations(db).find(order.organization_id, order.destination_id));
    if (!row) return api::not_found("backup destination");
    const auto storage = TRY(reach_.open(db, *row, stop));
    const auto object = storage->stat(order.key);
    if (!object) return storage_problem(object.error(), row->id);
    const std::string name = order.download_name.empty() ? std::string(file_name(order.key)) : order.download_name;
    ContentPlan plan = plan_content(request, *object, name);
    if (!plan.has_body || request.method == "HEAD") {
        post_answer(number, std::move(plan.head));
        return {};
    }
    const auto pipe = std::make_shared<BytePipe>();
    const auto closing = closed_by(stop, *pipe);
    post_body(number, std::move(plan.head), pipe);
    PipeSink sink(*pipe);
    if (auto got = storage->get(order.key, plan.range, sink); got) {
        pipe->finish();
    } else {
        pipe->fail(got.error());
    }
    return {};
}

void Transfers::post_answer(std::uint64_t number, http::Response response) {
    loop_.post([this, number, response = std::move(response)] { answer(number, response); });
}

void Transfers::post_body(std::uint64_t number, http::Response head, SharedPipe pipe) {
    loop_.post([this, number, head = std::move(head), pipe = std::move(pipe)] { begin(number, head, pipe); });
}

void Transfers::answer(std::uint64_t number, http::Response response) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end()) return;
    const auto exchange = std::move(found->second.exchange);
    if (exchange != nullptr) exchange->respond(std::move(response));
}

void Transfers::begin(std::uint64_t number, http::Response head, SharedPipe pipe) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end() || found->second.exchange == nullptr) return pipe->close(not_wanted());
    const auto exchange = std::move(found->second.exchange);
    found->second.sending = true;
    pumps_.send_body(exchange->open_stream(std::move(head)), std::move(pipe), [this, number] { sent(number); });
}

void Transfers::worked(std::uint64_t number, std::optional<http::Response> refusal) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end()) return;
    found->second.working = false;
    const auto exchange = std::move(found->second.exchange);
    if (exchange != nullptr && refusal) exchange->respond(std::move(*refusal));
    settle(number);
}

void Transfers::sent(std::uint64_t number) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end()) return;
    found->second.sending = false;
    found->second.stop.request_stop();
    settle(number);
}

void Transfers::gone(std::uint64_t number) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end()) return;
    const auto exchange = std::move(found->second.exchange);
    found->second.stop.request_stop();
    settle(number);
}

void Transfers::settle(std::uint64_t number) {
    const auto found = transfers_.find(number);
    if (found == transfers_.end() || found->second.working || found->second.sending) return;
    transfers_.erase(found);
}

void Transfers::stop() {
    stopping_ = true;
    for (auto& [number, transfer] : transfers_) transfer.stop.request_stop();
}

}  // namespace backstay::browse
