#include "control-plane/store/destination_config.h"

namespace backstay::store {
namespace {

std::string context_of(std::string_view destination_id) { return std::string("destination:").append(destination_id); }

}  // namespace

std::string seal_config(const SecretBox& box, std::string_view destination_id, const json::Object& config) {
    return box.seal(json::serialize(json::Value(config)), context_of(destination_id));
}

Result<DestinationOrder> open_config(const SecretBox& box, const DestinationRow& row) {
    const std::string text = TRY(box.open(row.config_box, context_of(row.id))
                                     .context("open the configuration of destination " + row.name)
                                     .hint("is secrets.key the one that this store was made with?"));
    const json::Value value = TRY(json::parse(text));
    const json::Object* config = value.if_object();
    if (config == nullptr) return Error(Errc::corrupted, "the configuration of a destination is no object");
    return DestinationOrder{row.id, row.name, row.type, *config};
}

}  // namespace backstay::store
