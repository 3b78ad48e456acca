// What replicas say to each other: one text for NOTIFY, which takes less than 8000 bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "control-plane/dispatch/stir.h"

namespace backstay::replicas {

struct Ring {
    std::string from;  // the replica
    std::vector<std::string> agents;
    std::vector<std::string> operations;
    bool everything = false;  // too much to name
};

// One text, or several for much; one that says "everything" for more than that.
std::vector<std::string> texts_of(const dispatch::Stir& stir, const std::string& from, bool everything);
Result<Ring> read_ring(std::string_view text);
dispatch::Stir stir_of(const Ring& ring);

}  // namespace backstay::replicas
