#include "control-plane/registry/destinations.h"

#include <array>

#include "common/domain/reasons.h"
#include "common/http/client.h"
#include "common/ids.h"
#include "common/log.h"
#include "control-plane/api/answer.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/destination_config.h"
#include "storage/destination.h"
#include "storage/destination_json.h"

namespace backstay::registry {
namespace {

Result<> check_config(const DestinationOrder& order) {
    json::Faults faults;
    const auto decoded = decode_destination(order, &faults);
    if (decoded) return {};
    if (decoded.error().reason() == kDestinationTypeUnsupported) {
        return api::rule_broken(kDestinationTypeUnsupported, "destinationType", decoded.error().message());
    }
    return api::rules_broken("invalid_config", decoded.error().message(), faults);
}

Result<> set_agent(sql::Database& db, store::DestinationRow& row, const std::optional<std::string>& agent_id) {
    if (!agent_id) return {};
    if (agent_id->empty()) {
        row.agent_id.reset();
        return {};
    }
    if (!TRY(store::Agents(db).find(row.organization_id, *agent_id))) {
        return api::rule_broken("agent_not_found", "agentId", "the organization has no such agent");
    }
    row.agent_id = agent_id;
    return {};
}

struct Words {
    std::string_view reason;
    std::string_view words;
};
constexpr std::array<Words, 6> kWords = {{
    {reason::kDestinationAuthFailed, "the destination refuses these credentials, or what they may do does not suffice"},
    {reason::kDestinationFull, "the destination has no room"},
    {reason::kRemoteMissing, "the destination has no such bucket"},
    {reason::kRemoteCorrupt, "the destination did not give back what was written to it"},
    {reason::kRemoteImmutable, "the destination refuses to write or to delete there"},
    {reason::kChecksumMismatch, "bytes changed on the way to the destination"},
}};

std::string_view words_for(const Error& error, std::string_view type) {
    if (error.facts().contains(http::kAddressRefused)) {
        return "connections to this address are not allowed; allow_private_destinations in control.toml admits "
               "loopback "
               "and private networks";
    }
    for (const Words& known : kWords) {
        if (known.reason == error.reason()) return known.words;
    }
    const bool sftp = type == "sftp";
    if (error.reason() != reason::kDestinationUnreachable) {
        return sftp ? "the SFTP server does not do what is asked of it; the control plane's log has its words"
                    : "what answers at the endpoint is no S3 that we understand";
    }
    if (error.code() == Errc::denied) {
        return sftp ? "the server does not show the host key that is pinned"
                    : "the certificate of the destination is not trusted";
    }
    if (error.code() == Errc::invalid) return "endpoint or region do not fit the bucket";
    return "the destination cannot be reached";
}

}  // namespace

Result<DestinationDraft> draft_destination(sql::Database& db, const SecretBox& box, std::string_view organization,
                                           const std::optional<store::DestinationRow>& stored,
                                           const DestinationChange& change, TimeMs now) {
    DestinationDraft draft;
    if (stored) {
        draft.row = *stored;
        draft.order = TRY(store::open_config(box, *stored));
        if (change.type && *change.type != stored->type) {
            return api::rule_broken("immutable_type", "destinationType", "a destination keeps its type");
        }
    } else {
        draft.row.id = new_uuid();
        draft.row.organization_id = organization;
        draft.row.type = change.type.value_or("");
        draft.row.created_at = now;
    }
    draft.row.updated_at = now;
    draft.row.name = change.name.value_or(draft.row.name);
    draft.row.is_default = change.is_default.value_or(draft.row.is_default);
    draft.row.encrypt = change.encrypt.value_or(draft.row.encrypt);
    TRY(check_name("name", draft.row.name));
    TRY(set_agent(db, draft.row, change.agent_id));
    const json::Object before = draft.order.config;
    draft.order = {draft.row.id, draft.row.name, draft.row.type,
                   change.config ? keep_redacted(before, *change.config) : before};
    draft.config_changed = !stored || json::Value(before) != json::Value(draft.order.config);
    TRY(check_config(draft.order));
    return draft;
}

bool tested_from_here(const DestinationOrder& order) { return order.type != "local"; }

Result<> test_from_here(DestinationDraft& draft, http::AddressRule rule, TimeMs now) {
    const auto probe = [&]() -> Result<> {
        const auto destination = TRY(decode_destination(draft.order));
        StorageContext context;
        context.patience = kBriefPatience;
        context.address_rule = rule;
        const auto storage = TRY(open_storage(destination, context));
        auto seen = probe_storage(*storage);
        if (seen) return {};
        log::info("destination failed its test", {{"destination", draft.row.id}, {"error", seen.error().message()}});
        return Error(seen.error().code(), std::string(words_for(seen.error(), draft.row.type)));
    };
    auto tested = probe();
    draft.row.tested_at = now;
    draft.row.test_status = tested ? "passed" : "failed";
    draft.row.test_message = tested ? "" : tested.error().message();
    return tested;
}

Result<std::optional<std::string>> looking_agent(sql::Database& db, const store::DestinationRow& row) {
    if (row.agent_id) return row.agent_id;
    const auto agents = TRY(store::Agents(db).list(row.organization_id, {2, 0}));
    if (agents.items.size() != 1) return std::optional<std::string>();
    return std::optional<std::string>(agents.items.front().id);
}

Result<> save_destination(sql::Transaction& tx, const Actor& actor, const SecretBox& box, DestinationDraft& draft,
                          bool is_new) {
    draft.row.config_box = store::seal_config(box, draft.row.id, draft.order.config);
    store::Destinations destinations(tx.database());
    auto saved = is_new ? destinations.create(tx, draft.row) : destinations.update(tx, draft.row);
    if (!saved && saved.error().code() == Errc::conflict) {
        return api::conflict("destination_exists", "the organization has a destination of that name");
    }
    TRY(std::move(saved));
    return note(tx, actor, draft.row.organization_id, is_new ? "destination.create" : "destination.update",
                draft.row.id, draft.row.name);
}

}  // namespace backstay::registry
