#include "storage/s3/xml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstay::s3 {
namespace {

using ::testing::HasSubstr;

TEST(Xml, ReadsElementsAndText) {
    const auto root = parse_xml(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
        "  <Name>a &amp; b</Name><s3:Item id='1'><Key>caf\xC3\xA9 &#x1F418;</Key></s3:Item><Item/></ListResult>");
    ASSERT_TRUE(root) << root.error().message();
    EXPECT_EQ(root->name, "ListResult");
    EXPECT_EQ(root->text_of("Name"), "a & b");
    ASSERT_NE(root->child("Item"), nullptr);
    EXPECT_EQ(root->child("Item")->text_of("Key"), "caf\xC3\xA9 \xF0\x9F\x90\x98");
    EXPECT_EQ(root->text_of("Missing"), "");
    EXPECT_EQ(root->children.size(), 3U);
}

TEST(Xml, RefusesWhatIsNotWellFormed) {
    for (const char* bad : {"", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a>\xFF</a>", "<a>&unknown;</a>", "<a",
                            "<a>\x01</a>", "<html><body>Bad Gateway<br></body></html>"}) {
        const auto root = parse_xml(bad);
        ASSERT_FALSE(root) << bad;
        EXPECT_EQ(root.error().code(), Errc::corrupted);
    }
    EXPECT_FALSE(parse_xml(std::string_view("<a>\0</a>", 8)));
}

TEST(Xml, RefusesADocumentType) {
    const auto bomb = parse_xml("<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>");
    ASSERT_FALSE(bomb);
    EXPECT_THAT(bomb.error().message(), HasSubstr("document type"));
    EXPECT_FALSE(parse_xml("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"));
}

TEST(Xml, KeepsItsBounds) {
    std::string deep;
    for (std::size_t i = 0; i < kXmlDepth + 1; ++i) deep += "<a>";
    EXPECT_THAT(parse_xml(deep).error().message(), HasSubstr("too deep"));
    std::string many = "<a>";
    for (std::size_t i = 0; i < kXmlElements; ++i) many += "<b/>";
    EXPECT_THAT(parse_xml(many + "</a>").error().message(), HasSubstr("too many"));
    EXPECT_THAT(parse_xml(fmt::format("<a>{}</a>", std::string(kXmlTextBytes + 1, 'x'))).error().message(),
                HasSubstr("too long"));
    EXPECT_TRUE(parse_xml(fmt::format("<a>{}</a>", std::string(kXmlTextBytes, 'x'))));
}

TEST(Xml, EscapesText) {
    EXPECT_EQ(xml_escape("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c'");
    EXPECT_EQ(parse_xml("<k>" + xml_escape("<x>&y\"") + "</k>").value().text, "<x>&y\"");
}

}  // namespace
}  // namespace backstay::s3
