// How agents answer requests to look into destinations on their hosts.
#include "control-plane-client/protocol.h"
#include "control-plane/agent-api/routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/relay/pass_on.h"
#include "control-plane/relay/pumps.h"

namespace backstay::agent_api {
namespace {

constexpr std::uint64_t kMostContent = 1ULL << 50U;
using relay::nobody_waits;

constexpr std::size_t kMostAnswer = 16U << 20U;  // 5,000 names of a kilobyte, three times

// Shared among the callbacks of one body: a function object must be copyable.
struct Gathering {
    std::unique_ptr<http::Exchange> exchange;
    std::string text;
};

void take_answer(relay::StorageDesk& desk, const std::string& agent, const std::string& id, Gathering& all) {
    const auto taken = desk.answer_text(agent, id, std::move(all.text));
    if (!taken) return all.exchange->respond(api::error_answer(400, "validation_error", taken.error().message()));
    if (!*taken) return all.exchange->respond(nobody_waits());
    all.exchange->respond(api::json_answer(200, json::Value(json::Object())));
}

void gather(relay::StorageDesk& desk, std::string agent, std::string id, std::shared_ptr<Gathering> all) {
    all->exchange->read_body([&desk, agent = std::move(agent), id = std::move(id), all](http::BodyPiece piece) {
        if (piece.broken) return;
        all->text += piece.bytes;
        if (piece.end) return take_answer(desk, agent, id, *all);
        if (all->text.size() > kMostAnswer)
            return all->exchange->respond(api::error_answer(413, "body_too_large", "the answer is too long"));
        gather(desk, agent, id, all);
    });
}

void take_content(relay::Pumps& pumps, relay::StorageDesk& desk, const api::Call& call,
                  std::unique_ptr<http::Exchange> exchange) {
    auto pipe = desk.content(call.principal.id, call.param("requestId"), "read");
    if (pipe == nullptr) pipe = desk.content(call.principal.id, call.param("requestId"), "odoo_zip");
    if (pipe == nullptr) return exchange->respond(nobody_waits());
    pumps.receive_body(std::move(exchange), std::move(pipe), [](std::unique_ptr<http::Exchange> peer, bool complete) {
        if (peer == nullptr) return;
        peer->respond(complete ? api::json_answer(200, json::Value(json::Object())) : nobody_waits());
    });
}

void give_content(relay::Pumps& pumps, relay::StorageDesk& desk, const api::Call& call,
                  std::unique_ptr<http::Exchange> exchange) {
    auto pipe = desk.content(call.principal.id, call.param("requestId"), "write");
    if (pipe == nullptr) return exchange->respond(nobody_waits());
    http::Response head;
    head.headers.set("Content-Type", "application/octet-stream");
    pumps.send_body(exchange->open_stream(std::move(head)), std::move(pipe), {});
}

void take(relay::Pumps& pumps, relay::StorageDesk& desk, const api::Call& call,
          std::unique_ptr<http::Exchange> exchange) {
    if (call.request.headers.get("Content-Type") != "application/json")
        return take_content(pumps, desk, call, std::move(exchange));
    // Megabytes are gathered only of an answer that somebody waits for.
    if (!desk.expects(call.principal.id, call.param("requestId"))) return exchange->respond(nobody_waits());
    auto all = std::make_shared<Gathering>();
    all->exchange = std::move(exchange);
    gather(desk, call.principal.id, call.param("requestId"), std::move(all));
}

}  // namespace

void add_storage_routes(api::RouteTable& routes, relay::Pumps& pumps, relay::StorageDesk& desk, relay::PassOn& others) {
    constexpr std::string_view kOne = "/agent/v1/storage/{requestId}";
    api::RouteSpec post;
    post.method = "POST";
    post.pattern = kOne;
    post.access = api::Access::agent;
    post.streamed_body = kMostContent;
    routes.add_loop(post, [&pumps, &desk, &others](const api::Call& call, std::unique_ptr<http::Exchange> exchange) {
        if (!desk.waits_here(call.principal.id, call.param("requestId"))) return others.pass(call, std::move(exchange));
        take(pumps, desk, call, std::move(exchange));
    });
    api::RouteSpec get = post;
    get.method = "GET";
    get.streamed_body = 0;
    routes.add_loop(get, [&pumps, &desk, &others](const api::Call& call, std::unique_ptr<http::Exchange> exchange) {
        if (!desk.waits_here(call.principal.id, call.param("requestId"))) return others.pass(call, std::move(exchange));
        give_content(pumps, desk, call, std::move(exchange));
    });
}

}  // namespace backstay::agent_api
