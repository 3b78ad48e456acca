#include "common/log.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "common/last_words.h"

namespace backstay {
namespace {

enum class To { journal, elsewhere };

// What a process of its own says, whose stderr is the stream that JOURNAL_STREAM names, or another one.
std::string said(To to, const std::function<void()>& speak) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        struct stat about {};
        ::fstat(ends[1], &about);
        const std::string stream = fmt::format("{}:{}", about.st_dev, about.st_ino + (to == To::journal ? 0 : 1));
        ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
        ::dup2(ends[1], STDERR_FILENO);
        speak();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
        text.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    return text;
}

TEST(LogLines, AreOneLineEachWhateverTheirValuesHold) {
    const std::string text = said(To::elsewhere, [] {
        log::info("met", {{"what", std::string("two\nlines\r\x1b[31m \"quoted\"")}, {"next", std::string(3000, 'x')}});
    });
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_NE(text.find(R"(what="two\x0alines\x0d\x1b[31m \"quoted\"")"), std::string::npos) << text;
    EXPECT_LT(text.size(), 2300U);
}

TEST(LogLines, TellTheJournalTheirPriority) {
    const std::string text = said(To::journal, [] {
        log::set_level(log::Level::debug);
        log::debug("a");
        log::info("b");
        log::warning("c");
        log::error("d");
    });
    EXPECT_EQ(text, "<7>a\n<6>b\n<4>c\n<3>d\n");
}

TEST(LogLines, AreForPeopleWhereStderrIsNotTheJournal) {
    const std::string text = said(To::elsewhere, [] { log::error("d"); });
    EXPECT_EQ(text.substr(text.find(' ')), " error d\n");
}

TEST(TheLastWordsOfAProgram, AreAnErrorToTheJournalAndWordsToPeople) {
    const auto speak = [] { log::last_words("backstay-x", Error(Errc::invalid, "two\nfaults").with_hint("mend")); };
    EXPECT_EQ(said(To::journal, speak), "<3>ended error=two\\x0afaults hint=mend\n");
    EXPECT_EQ(said(To::elsewhere, speak), "backstay-x: two\nfaults\n  hint: mend\n");
}

}  // namespace
}  // namespace backstay
