#include "control-plane/browse/multipart.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

// Gives its text in pieces of `step` bytes: what is read must not depend on how the network cut it.
class Stepwise final : public Source {
public:
    Stepwise(std::string text, std::size_t step) : text_(std::move(text)), step_(step) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        const std::size_t count = std::min({step_, buffer.size(), text_.size() - at_});
        text_.copy(reinterpret_cast<char*>(buffer.data()), count, at_);
        at_ += count;
        return count;
    }

private:
    std::string text_;
    std::size_t step_;
    std::size_t at_ = 0;
};

std::string part(const std::string& name, const std::string& content) {
    return "--B\r\nContent-Disposition: form-data; name=\"" + name +
           "\"; filename=\"x; name=y\"\r\nContent-Type: a/b\r\n\r\n" + content + "\r\n";
}

Result<std::string> file_in(const std::string& body, std::size_t step = 1 << 20) {
    Stepwise source(body, step);
    MultipartSource file(source, "B", "file");
    return read_all(file, 1 << 22);
}

TEST(Multipart, GivesTheFileHoweverTheBodyIsCut) {
    const std::string tricky = "\r\n--\r\n--A\r\n--B" + std::string(1, '\0');  // without its own line end before it
    for (const std::string& content : {std::string("hello"), std::string(), std::string("\r\n"), std::string("\r\n--"),
                                       std::string("--B--"), std::string(100'000, 'x'), tricky.substr(0, 11)}) {
        for (const std::size_t step : {1U, 2U, 7U, 1U << 20U}) {
            if (step == 1 && content.size() > 1000) continue;
            const auto got =
                file_in(part("other", "zzz") + part("file", content) + part("more", "q") + "--B--\r\n", step);
            ASSERT_TRUE(got.has_value()) << got.error().message() << " step " << step;
            EXPECT_EQ(*got, content) << step;
        }
    }
}

TEST(Multipart, RefusesAFormWithoutTheFile) {
    for (const std::string& body : {part("other", "x") + "--B--\r\n", std::string("--B--\r\n")}) {
        const auto got = file_in(body);
        ASSERT_FALSE(got.has_value());
        EXPECT_EQ(got.error().reason(), "file_required");
    }
}

TEST(Multipart, RefusesWhatBreaksOffOrIsNoForm) {
    const std::string whole = part("file", "hello") + "--B--\r\n";
    for (const std::size_t length : {0U, 3U, 20U, 60U}) {
        const auto got = file_in(whole.substr(0, length));
        ASSERT_FALSE(got.has_value()) << length;
        EXPECT_EQ(got.error().reason(), "invalid_multipart") << length;
    }
    const auto cut = file_in(whole.substr(0, whole.find("hello") + 5));
    ASSERT_FALSE(cut.has_value()) << "half a file is no file";
    EXPECT_EQ(file_in("--Bxyz\r\n").error().reason(), "invalid_multipart");
    EXPECT_EQ(file_in("--B\r\nX: " + std::string(20'000, 'h')).error().reason(), "invalid_multipart");
}

TEST(Multipart, FindsTheBoundary) {
    EXPECT_EQ(boundary_of("multipart/form-data; boundary=abc").value_or(""), "abc");
    EXPECT_EQ(boundary_of("Multipart/Form-Data; charset=x; Boundary=\"a b\"").value_or(""), "a b");
    for (const char* none :
         {"", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "application/json; boundary=a"})
        EXPECT_FALSE(boundary_of(none)) << none;
    EXPECT_FALSE(boundary_of("multipart/form-data; boundary=" + std::string(71, 'b')));
}

}  // namespace
}  // namespace backstay::browse
