#include "storage/s3/xml.h"

#include <expat.h>
#include <fmt/format.h>

#include <limits>
#include <memory>

namespace backstay::s3 {

namespace {

struct FreeParser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<XML_ParserStruct, FreeParser>;

// Builds the tree from expat's calls; the first fault stops the parser.
class Builder {
public:
    explicit Builder(XML_Parser parser) : parser_(parser) {
        XML_SetUserData(parser, this);
        XML_SetElementHandler(parser, &Builder::on_start, &Builder::on_end);
        XML_SetCharacterDataHandler(parser, &Builder::on_text);
        XML_SetStartDoctypeDeclHandler(parser, &Builder::on_doctype);
    }
    const std::string& fault() const { return fault_; }
    XmlElement take() { return std::move(root_); }

private:
    static void on_start(void* self, const char* name, const char** /*attributes*/) noexcept {
        static_cast<Builder*>(self)->start(name);
    }
    static void on_end(void* self, const char* /*name*/) noexcept { static_cast<Builder*>(self)->end(); }
    static void on_text(void* self, const char* text, int size) noexcept {
        static_cast<Builder*>(self)->append({text, static_cast<std::size_t>(size)});
    }
    static void on_doctype(void* self, const char*, const char*, const char*, int) noexcept {
        static_cast<Builder*>(self)->stop("a document type is not allowed");
    }

    void start(std::string_view name) {
        if (!fault_.empty()) return;
        if (open_.size() >= kXmlDepth) return stop("too deep");
        if (++elements_ > kXmlElements) return stop("too many elements");
        name.remove_prefix(std::min(name.rfind(':') + 1, name.size()));
        if (open_.empty()) {
            root_.name = name;
            open_.push_back(&root_);
            return;
        }
        // The parent's earlier children are all closed, so nobody points into the vector that may move here.
        XmlElement& child = open_.back()->children.emplace_back();
        child.name = name;
        open_.push_back(&child);
    }
    void end() {
        if (fault_.empty()) open_.pop_back();
    }
    void append(std::string_view text) {
        if (!fault_.empty()) return;
        std::string& all = open_.back()->text;
        if (text.size() > kXmlTextBytes - all.size()) return stop("too long a text");
        all += text;
    }
    void stop(std::string_view why) {
        fault_ = why;
        XML_StopParser(parser_, XML_FALSE);
    }

    XML_Parser parser_;
    XmlElement root_;
    std::vector<XmlElement*> open_;
    std::size_t elements_ = 0;
    std::string fault_;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
    for (const XmlElement& element : children) {
        if (element.name == wanted) return &element;
    }
    return nullptr;
}

std::string_view XmlElement::text_of(std::string_view wanted) const {
    const XmlElement* found = child(wanted);
    return found == nullptr ? std::string_view() : std::string_view(found->text);
}

Result<XmlElement> parse_xml(std::string_view document) {
    const Parser parser(XML_ParserCreate(nullptr));
    if (!parser) return Error(Errc::exhausted, "out of memory");
    if (document.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        return Error(Errc::corrupted, "XML: too long");
    }
    Builder builder(parser.get());
    const auto status = XML_Parse(parser.get(), document.data(), static_cast<int>(document.size()), XML_TRUE);
    if (!builder.fault().empty()) return Error(Errc::corrupted, "XML: " + builder.fault());
    if (status != XML_STATUS_OK) {
        return Error(Errc::corrupted, fmt::format("XML: {} at byte {}", XML_ErrorString(XML_GetErrorCode(parser.get())),
                                                  XML_GetCurrentByteIndex(parser.get())));
    }
    return builder.take();
}

std::string xml_escape(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace backstay::s3
