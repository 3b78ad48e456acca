// For unordered_map<std::string, T, TextHash, std::equal_to<>>: looks texts up without making them strings first.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace backstay {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace backstay
