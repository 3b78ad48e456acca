#include "control-plane/dispatch/orders.h"

#include <array>

namespace backstay::dispatch {
namespace {

using Open = std::function<Result<std::optional<DestinationOrder>>(std::string_view)>;

// Members of orders that hold destinations (common/domain/orders.h).
constexpr std::array<std::string_view, 3> kLists = {"destinations", "from", "to"};

void empty_config(json::Value& destination) {
    if (json::Object* object = destination.if_object()) (*object)["config"] = json::Object();
}

enum class Need { all, one, none };

// A backup order names where it must write: there none may be missing. Elsewhere the list says where to read or remove:
// one must be left. A snapshot has its own place on the host and does without any.
Result<json::Array> fill_list(const json::Array& list, Need need, const Open& open) {
    json::Array filled;
    std::string missing;
    for (const json::Value& item : list) {
        const json::Object* object = item.if_object();
        const json::Value* id = object == nullptr ? nullptr : object->if_contains("id");
        if (id == nullptr || !id->is_string()) return Error(Errc::corrupted, "an order's destination has no id");
        auto found = TRY(open(std::string_view(id->get_string())));
        if (found) {
            filled.push_back(json::encode(*found));
        } else {
            missing = id->get_string();
        }
    }
    const bool enough = missing.empty() || need == Need::none || (need == Need::one && !filled.empty());
    if (!enough) {
        return Error(Errc::not_found, "destination " + missing + " does not exist any more");
    }
    return filled;
}

// Parts of an order that name destinations of their own: the safety copy of a restore or a rollback, a point in time,
// and the filestores of that.
std::vector<json::Object*> inner_orders(json::Object& order) {
    std::vector<json::Object*> inner;
    for (const std::string_view name : {"safetyBackup", "safetySnapshot", "pitr"}) {
        json::Value* part = order.if_contains(name);
        if (part != nullptr && part->is_object()) inner.push_back(&part->get_object());
    }
    json::Value* filestores = order.if_contains("filestores");
    if (filestores == nullptr || !filestores->is_array()) return inner;
    for (json::Value& filestore : filestores->get_array()) {
        if (filestore.is_object()) inner.push_back(&filestore.get_object());
    }
    return inner;
}

Result<> fill(json::Object& order, const Open& open) {
    const bool writes = order.contains("encryptFor");
    const Need usual = order.contains("snapshotId") ? Need::none : writes ? Need::all : Need::one;
    for (const std::string_view name : kLists) {
        json::Value* list = order.if_contains(name);
        if (list == nullptr || !list->is_array()) continue;
        *list = TRY(fill_list(list->get_array(), name == "to" ? Need::all : usual, open));
    }
    if (json::Value* one = order.if_contains("destination")) {
        const json::Array filled = TRY(fill_list(json::Array{*one}, Need::all, open));
        *one = filled.front();
    }
    for (json::Object* inner : inner_orders(order)) TRY(fill(*inner, open));
    return {};
}

}  // namespace

json::Object without_secrets(json::Object order) {
    for (const std::string_view name : kLists) {
        json::Value* list = order.if_contains(name);
        if (list == nullptr || !list->is_array()) continue;
        for (json::Value& item : list->get_array()) empty_config(item);
    }
    if (json::Value* one = order.if_contains("destination")) empty_config(*one);
    for (json::Object* inner : inner_orders(order)) *inner = without_secrets(std::move(*inner));
    return order;
}

Result<json::Object> with_secrets(json::Object order, const Open& open) {
    TRY(fill(order, open));
    return order;
}

}  // namespace backstay::dispatch
