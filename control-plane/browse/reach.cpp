#include "control-plane/browse/reach.h"

#include "common/domain/reasons.h"
#include "common/http/client.h"
#include "common/log.h"
#include "control-plane/api/answer.h"
#include "control-plane/registry/destinations.h"
#include "control-plane/relay/relayed_storage.h"
#include "control-plane/store/destination_config.h"
#include "storage/destination.h"
#include "storage/destination_json.h"

namespace backstay::browse {
namespace {

// Somebody waits for the answer, but a transfer may take its time.
constexpr Patience kPatience = {5'000, 20'000, 2, 6, 60'000, 200, 2'000};

}  // namespace

Result<std::unique_ptr<Storage>> Reach::open(sql::Database& db, const store::DestinationRow& row,
                                             std::stop_token stop) const {
    auto order = TRY(store::open_config(box_, row));
    if (!registry::tested_from_here(order)) {
        auto agent = TRY(registry::looking_agent(db, row));
        if (!agent) {
            return api::rule_broken("agent_required", "agentId",
                                    "name the agent on whose host this path is; the organization has several or none");
        }
        return relay::relay_storage(desk_, db, std::move(*agent), std::move(order), std::move(stop));
    }
    const auto destination = TRY(decode_destination(order));
    StorageContext context;
    context.patience = kPatience;
    context.address_rule = rule_;
    context.stop = std::move(stop);
    return open_storage(destination, context);
}

void Reach::stop() {
    stop_.request_stop();
    desk_.stop();
}

Error storage_problem(const Error& error, const std::string& destination) {
    if (api::is_problem(error)) return error;
    log::info("destination not used", {{"destination", destination}, {"error", error.message()}});
    if (error.facts().contains(http::kAddressRefused))
        return api::problem(503, "storage_unreachable",
                            "connections to this address are not allowed; allow_private_destinations in control.toml "
                            "admits loopback and private networks");
    if (error.reason() == reason::kRemoteImmutable)
        return api::problem(409, "object_locked", "the store keeps this object locked against deletion");
    if (error.code() == Errc::exhausted || error.reason() == reason::kDestinationFull)
        return api::problem(507, "storage_full", "the destination has no room");
    if (error.reason() == reason::kDestinationUnreachable || error.transient() || error.code() == Errc::cancelled)
        return api::problem(503, "storage_unreachable", "the destination cannot be reached");
    switch (error.code()) {
        case Errc::not_found:
            return api::problem(404, "file_not_found", "the destination has no such file");
        case Errc::invalid:
            return api::problem(400, "invalid_path", "the destination does not take this path");
        case Errc::conflict:
            return api::problem(409, "already_exists", "there is a file of this name already");
        default:
            return api::problem(502, "storage_error", "the destination refused, or answered what is not understood");
    }
}

}  // namespace backstay::browse
