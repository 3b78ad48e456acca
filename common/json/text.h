// Described values as the text of their JSON, byte by byte what encode() and serialize() give, without a document in
// between: answers and evidence are written far oftener than anything else, and the document was most of their cost.
#pragma once

#include <boost/json.hpp>
#include <boost/mp11.hpp>
#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/json/shapes.h"

namespace backstay::json {

// Text that is JSON already: written as it stands.
struct Written {
    std::string text;
};

namespace detail {

void write_string(std::string& out, std::string_view text);
void write_value(std::string& out, const boost::json::value& value);

template <class T>
void write_integer(std::string& out, T number) {
    std::array<char, 24> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), written.ptr);
}

template <class T>
void write(std::string& out, const T& value, Names names);

template <class T>
void write_struct(std::string& out, const T& value, Names names) {
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    char before = '{';
    boost::mp11::mp_for_each<Members>([&](auto member) {
        out += before;
        out += '"';
        out += member_name<decltype(member)>(names);
        out += "\":";
        write(out, value.*member.pointer, names);
        before = ',';
    });
    if (before == '{') out += before;
    out += '}';
}

template <class List>
void write_list(std::string& out, const List& list, Names names) {
    out += '[';
    for (const auto& item : list) {
        if (&item != &list.front()) out += ',';
        write(out, item, names);
    }
    out += ']';
}

template <class Map>
void write_map(std::string& out, const Map& map, Names names) {
    char before = '{';
    for (const auto& [key, item] : map) {
        out += before;
        write_string(out, key);
        out += ':';
        write(out, item, names);
        before = ',';
    }
    if (before == '{') out += before;
    out += '}';
}

template <class T>
void write(std::string& out, const T& value, Names names) {
    if constexpr (std::is_same_v<T, Written>) {
        out += value.text;
    } else if constexpr (std::is_same_v<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::is_same_v<T, boost::json::value>) {
        write_value(out, value);
    } else if constexpr (std::is_same_v<T, boost::json::object> || std::is_same_v<T, double>) {
        write_value(out, boost::json::value(value));
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        write_string(out, value);
    } else if constexpr (std::is_same_v<T, Timestamp>) {
        out += '"';
        append_rfc3339(out, value.ms);
        out += '"';
    } else if constexpr (kIsDescribedEnum<T>) {
        write_string(out, boost::describe::enum_to_string(value, ""));
    } else if constexpr (std::is_integral_v<T>) {
        write_integer(out, value);
    } else if constexpr (IsOptional<T>::value) {
        value ? write(out, *value, names) : static_cast<void>(out += "null");
    } else if constexpr (IsVector<T>::value || IsSpan<T>::value) {
        write_list(out, value, names);
    } else if constexpr (IsStringMap<T>::value) {
        write_map(out, value, names);
    } else {
        static_assert(kIsDescribedStruct<T>, "describe the struct with BOOST_DESCRIBE_STRUCT");
        write_struct(out, value, names);
    }
}

}  // namespace detail

// Behind what stands there.
template <class T>
void append_text(std::string& out, const T& value, Names names = Names::camel) {
    detail::write(out, value, names);
}

template <class T>
std::string encode_text(const T& value, Names names = Names::camel) {
    std::string text;
    append_text(text, value, names);
    return text;
}

}  // namespace backstay::json
