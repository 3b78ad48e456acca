#include "common/mail/message.h"

#include <gmock/gmock.h>

#include "common/mail/smtp.h"

namespace backstay::mail {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Message made() {
    Message out;
    out.from = "backups@example.com";
    out.to = "ops@example.org";
    out.subject = "Backup failed";
    out.body = "The disk is full.\n";
    out.message_id = "0123-abc";
    out.date = 1'700'000'000'000;
    return out;
}

TEST(Mail, IsComposedWithEveryFieldItNeeds) {
    const std::string text = compose(made()).value();
    EXPECT_THAT(text, HasSubstr("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
    EXPECT_THAT(text, HasSubstr("From: backups@example.com\r\nTo: ops@example.org\r\nSubject: Backup failed\r\n"));
    EXPECT_THAT(text, HasSubstr("Message-ID: <0123-abc@example.com>\r\n"));
    EXPECT_THAT(text, HasSubstr("\r\n\r\nVGhlIGRpc2sgaXMgZnVsbC4K\r\n"));
}

TEST(Mail, NoTextBecomesAHeader) {
    Message evil = made();
    evil.subject = "x\r\nBcc: thief@example.com";
    evil.body = "\r\n.\r\nQUIT\r\n";
    const std::string text = compose(evil).value();
    EXPECT_THAT(text, Not(HasSubstr("\r\nBcc:")));
    EXPECT_THAT(text, HasSubstr("Subject: x  Bcc: thief@example.com\r\n"));
    EXPECT_THAT(text, Not(HasSubstr("\r\n.\r\n")));
    for (const char* bad : {"ops@example.org\r\nBcc: t@e.c", "ops@example.org, t@e.c", "<ops@example.org>", "ops",
                            "@e.c", "ops@", "a b@e.c", "ops@ex\xC3\xA4mple.org"}) {
        evil = made();
        evil.to = bad;
        EXPECT_FALSE(compose(evil)) << bad;
        evil = made();
        evil.from = bad;
        EXPECT_FALSE(compose(evil)) << bad;
    }
    evil = made();
    evil.message_id = "x>\r\nBcc: t@e.c";
    EXPECT_FALSE(compose(evil));
}

TEST(Mail, EncodesWhatIsNotAsciiInFoldedWords) {
    Message message = made();
    message.subject = "Sauvegarde échouée: ";
    for (int i = 0; i < 20; ++i) message.subject += "é";
    const std::string text = compose(message).value();
    EXPECT_THAT(text, HasSubstr("Subject: =?UTF-8?B?"));
    std::size_t begin = 0;
    for (std::size_t end = text.find("\r\n"); end != text.npos; begin = end + 2, end = text.find("\r\n", begin)) {
        EXPECT_LE(end - begin, 78U) << text.substr(begin, end - begin);
    }
    for (const char byte : text) EXPECT_GE(byte, 0) << "only ASCII goes out";
}

TEST(Mail, SaysThatNobodyListensWithoutTheSecret) {
    SmtpOptions options;
    options.host = "127.0.0.1";
    options.port = 1;
    options.username = "me";
    options.password = "secret-word";
    const auto sent = send(options, made(), {});
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code(), Errc::unavailable);
    EXPECT_THAT(sent.error().message(), Not(HasSubstr("secret-word")));
}

}  // namespace
}  // namespace backstay::mail
