#include "control-plane/replicas/rings.h"

#include <boost/describe.hpp>

#include "common/json/json.h"

namespace backstay::replicas {

BOOST_DESCRIBE_STRUCT(Ring, (), (from, agents, operations, everything))

namespace {

// Ids are UUIDs: 39 bytes with quotes and comma.
constexpr std::size_t kIdsInOne = 150;
constexpr std::size_t kTextsMost = 8;

}  // namespace

std::vector<std::string> texts_of(const dispatch::Stir& stir, const std::string& from, bool everything) {
    std::vector<Ring> rings;
    std::size_t named = 0;
    const auto next = [&]() -> Ring& {
        if (named++ % kIdsInOne == 0) rings.push_back({from, {}, {}, false});
        return rings.back();
    };
    for (const std::string& agent : stir.agents) next().agents.push_back(agent);
    for (const std::string& operation : stir.operations) next().operations.push_back(operation);
    if (everything || rings.size() > kTextsMost) rings = {{from, {}, {}, true}};
    std::vector<std::string> texts;
    texts.reserve(rings.size());
    for (const Ring& ring : rings) texts.push_back(json::encode_text(ring));
    return texts;
}

Result<Ring> read_ring(std::string_view text) { return json::decode_text<Ring>(text, json::kLenient); }

dispatch::Stir stir_of(const Ring& ring) {
    dispatch::Stir stir;
    stir.agents.insert(ring.agents.begin(), ring.agents.end());
    stir.operations.insert(ring.operations.begin(), ring.operations.end());
    return stir;
}

}  // namespace backstay::replicas
