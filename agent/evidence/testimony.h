// What a step testifies when it succeeded. Every value that a step's body returns has a function `testify(value)`
// beside its type (a concept checks it), so that no step can finish mute.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "common/result.h"

namespace backstay {

struct Testimony {
    std::string summary;              // one line for whyGreen: "1.2 GB custom dump, 913 TOC entries"
    Facts facts;                      // documented in docs/evidence.md
    std::vector<std::string> proofs;  // proof tokens (contract/semantics.md 4.3)
    std::string output;               // tool output worth keeping, at most 16 KiB is stored
};

inline Testimony testify(const Testimony& testimony) { return testimony; }

template <class T>
concept Testifies = requires(const T& value) {
    { testify(value) } -> std::convertible_to<Testimony>;
};

}  // namespace backstay
