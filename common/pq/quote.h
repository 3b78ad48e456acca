// Quoting for statements that take no parameters (CREATE DATABASE, ALTER …). Input and connection are UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace backstay::pq {

// "name" with inner quotes doubled.
std::string quote_identifier(std::string_view name);

// 'text', as E'…' when it holds a backslash, so that standard_conforming_strings does not matter.
std::string quote_literal(std::string_view text);

}  // namespace backstay::pq
