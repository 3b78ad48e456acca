// What the typed coder and the writer tell apart, and how members are spelled. Inside common/json only.
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace backstay::json {

enum class Names { camel, as_is };

namespace detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsSpan : std::false_type {};
template <class T>
struct IsSpan<std::span<const T>> : std::true_type {};
template <class T>
struct IsStringMap : std::false_type {};
template <class T, class Less>
struct IsStringMap<std::map<std::string, T, Less>> : std::true_type {};

template <class T>
inline constexpr bool kIsDescribedEnum = std::is_enum_v<T>&& boost::describe::has_describe_enumerators<T>::value;
template <class T>
inline constexpr bool kIsDescribedStruct = std::is_class_v<T>&& boost::describe::has_describe_members<T>::value;

// A member's name as it travels, made by the compiler.
template <std::size_t Most>
struct Spelling {
    std::array<char, Most> bytes{};
    std::size_t size = 0;
    constexpr std::string_view text() const { return {bytes.data(), size}; }
};

// "backup_type" → "backupType", a character at a time.
template <class Take>
constexpr void in_camel_case(std::string_view snake, Take take) {
    bool begun = false;
    bool raise = false;
    for (const char c : snake) {
        if (c == '_' && begun) {
            raise = true;
            continue;
        }
        take(raise && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
        begun = true;
        raise = false;
    }
}

template <std::size_t Most>
constexpr Spelling<Most> camel_spelling(std::string_view snake) {
    Spelling<Most> camel;
    in_camel_case(snake, [&camel](char c) { camel.bytes[camel.size++] = c; });
    return camel;
}

// `Member`: a descriptor of Boost.Describe.
template <class Member>
struct MemberName {
    static constexpr std::string_view kPlain = Member::name;
    static constexpr auto kCamel = camel_spelling<kPlain.size()>(kPlain);
};

template <class Member>
constexpr std::string_view member_name(Names names) {
    return names == Names::camel ? MemberName<Member>::kCamel.text() : MemberName<Member>::kPlain;
}

}  // namespace detail
}  // namespace backstay::json
