// A small reader for the XML that S3 servers answer: elements and text, nothing else. The answers come from the
// network, so everything is bounded and a document type (entities, external parts) is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace backstay::s3 {

struct XmlElement {
    std::string name;  // without a namespace prefix
    std::string text;  // of the element itself, without that of its children
    std::vector<XmlElement> children;

    // The first child of that name; nullptr when there is none.
    const XmlElement* child(std::string_view wanted) const;
    // Its text, or empty.
    std::string_view text_of(std::string_view wanted) const;
};

inline constexpr std::size_t kXmlDepth = 16;
inline constexpr std::size_t kXmlElements = 60'000;
inline constexpr std::size_t kXmlTextBytes = 64 << 10;  // of one element

// The root element. Not well-formed, or beyond a bound: corrupted.
Result<XmlElement> parse_xml(std::string_view document);

// Text for an element's content.
std::string xml_escape(std::string_view text);

}  // namespace backstay::s3
