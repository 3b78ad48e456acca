// An SFTP server behind a line that breaks, and one that refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "tests/contract/quick.h"
#include "tests/support/sftp_server.h"
#include "tests/support/streams.h"
#include "tests/support/tcp_proxy.h"

namespace backstay::testing {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TcpHarm::Kind;

namespace {

constexpr std::uint64_t kLarge = (3ULL << 20) + 4321;

void expect_error(const Error& error, Errc code, std::string_view why) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.message();
    EXPECT_EQ(error.reason(), why) << error.message();
}

class SftpFaults : public ::testing::Test {
protected:
    SftpFaults() : config_(SftpServer::get().new_folder()), direct_(SftpServer::open(config_)) {}

    // The folder through a proxy that harms the connections that `choose` names.
    Storage& harmed(TcpProxy::Chooser choose, const StorageContext& context = quick()) {
        proxy_ = std::make_unique<TcpProxy>(config_.port, std::move(choose));
        SftpConfig config = config_;
        config.port = proxy_->port();
        harmed_ = SftpServer::open(config, context);
        return *harmed_;
    }
    static TcpProxy::Chooser first(TcpHarm harm, int times = 1) {
        return [=](int connection) { return connection < times ? harm : TcpHarm{}; };
    }
    static Result<ObjectInfo> put(Storage& storage, std::uint64_t size, const std::string& key = "a/object") {
        PatternSource source(size, 5);
        PutOptions options;
        options.expected_bytes = size;
        return storage.put(key, source, options);
    }
    void expect_stored(std::uint64_t size, const std::string& key = "a/object") {
        PatternSink sink(5);
        const auto got = direct_->get(key, {}, sink);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(sink.position(), size);
        EXPECT_EQ(sink.wrong(), 0U);
        EXPECT_EQ(unfinished(), 0U);
    }
    std::uint64_t unfinished() {
        const std::filesystem::path folder = config_.base_path + "/.backstay-unfinished";
        if (!std::filesystem::exists(folder)) return 0;
        return static_cast<std::uint64_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
    }
    std::uint64_t objects() { return direct_->list({}).value_or({}).objects.size(); }

    SftpConfig config_;
    std::unique_ptr<Storage> direct_;
    std::unique_ptr<TcpProxy> proxy_;
    std::unique_ptr<Storage> harmed_;
};

}  // namespace

// Handshake, login, each request and each answer: wherever it breaks, the object is there, once, and nothing else.
TEST_F(SftpFaults, AnUploadSurvivesABreakAtAnyByte) {
    ASSERT_TRUE(put(harmed(first({})), 5000, "clean"));
    const std::uint64_t up = proxy_->from_client();
    const std::uint64_t down = proxy_->from_server();
    int number = 0;
    for (const Kind kind : {Kind::reset, Kind::truncate}) {
        const std::uint64_t step = kind == Kind::reset ? 1 : 4;
        for (std::uint64_t at = 1; at < up; at += 401 * step) {
            const std::string key = fmt::format("up/{}/object", ++number);
            const auto stored = put(harmed(first({kind, at})), 5000, key);
            ASSERT_TRUE(stored) << "byte " << at << " from the client: " << stored.error().message();
            expect_stored(5000, key);
        }
        for (std::uint64_t at = 1; at < down; at += 197 * step) {
            TcpHarm harm{kind};
            harm.from_server = at;
            const std::string key = fmt::format("down/{}/object", ++number);
            const auto stored = put(harmed(first(harm)), 5000, key);
            ASSERT_TRUE(stored) << "byte " << at << " from the server: " << stored.error().message();
            expect_stored(5000, key);
        }
    }
}

TEST_F(SftpFaults, ALargeUploadIsTakenUpWhereItBroke) {
    const auto stored = put(harmed(first({Kind::reset, 1 << 20}, 2)), kLarge);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kLarge);
    EXPECT_EQ(proxy_->connections(), 3);
    EXPECT_LT(proxy_->from_client(), 2 * kLarge) << "it began anew";
}

TEST_F(SftpFaults, AnUploadThatStallsIsTakenUp) {
    const auto stored = put(harmed(first({Kind::stall, 1 << 20})), kLarge);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kLarge);
}

TEST_F(SftpFaults, AnUploadIsGivenUpWhenTheLineStaysBad) {
    // All attempts of one piece together let too little through, however fast it is acknowledged.
    const auto stored = put(harmed(first({Kind::reset, 128 << 10}, 1000)), kLarge * 4);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::unavailable, reason::kDestinationUnreachable);
    EXPECT_EQ(objects(), 0U);
    EXPECT_EQ(direct_->sweep_leftovers(SystemClock().now_ms() + 3'600'000).value_or(99), unfinished() == 0 ? 0U : 1U);
}

TEST_F(SftpFaults, AReadIsTakenUpWhereItBroke) {
    ASSERT_TRUE(put(*direct_, kLarge));
    for (const Kind kind : {Kind::reset, Kind::truncate, Kind::stall}) {
        TcpHarm harm{kind};
        harm.from_server = 1 << 20;
        PatternSink sink(5, 100);
        const auto got = harmed(first(harm, 2)).get("a/object", {100, kLarge - 200}, sink);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(sink.position(), kLarge - 100);
        EXPECT_EQ(sink.wrong(), 0U);
    }
}

TEST_F(SftpFaults, AReadThatDoesNotEndIsNoSuccess) {
    ASSERT_TRUE(put(*direct_, kLarge));
    // Enough for the handshake, no more.
    TcpHarm harm{Kind::reset};
    harm.from_server = 60'000;
    PatternSink sink(5);
    const auto got = harmed(first({Kind::reset}, 0)).get("a/object", {}, sink);
    EXPECT_TRUE(got);
    const auto broken = harmed([harm](int connection) {
                            TcpHarm worse = harm;
                            if (connection > 0) worse.from_server = 100;
                            return worse;
                        }).get("a/object", {}, sink);
    ASSERT_FALSE(broken);
    expect_error(broken.error(), Errc::unavailable, reason::kDestinationUnreachable);
}

TEST_F(SftpFaults, AListingThatBreaksIsMadeAgainAndNeverShort) {
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(put(*direct_, 1, fmt::format("many/{}", i)));
    for (std::uint64_t at = 2000; at < 30'000; at += 1777) {
        TcpHarm harm{Kind::reset};
        harm.from_server = at;
        const auto page = harmed(first(harm)).list({});
        ASSERT_TRUE(page) << page.error().message();
        EXPECT_EQ(page->objects.size(), 300U);
    }
    TcpHarm always{Kind::reset};
    always.from_server = 9000;
    const auto page = harmed(first(always, 1000)).list({});
    ASSERT_FALSE(page);
    expect_error(page.error(), Errc::unavailable, reason::kDestinationUnreachable);
}

TEST_F(SftpFaults, ARemovalThatBreaksIsMadeAgain) {
    for (std::uint64_t at = 100; at < 8000; at += 333) {
        ASSERT_TRUE(put(*direct_, 10));
        TcpHarm harm{Kind::reset};
        harm.from_server = at;
        const auto removed = harmed(first(harm)).remove("a/object");
        ASSERT_TRUE(removed) << at << ": " << removed.error().message();
        EXPECT_EQ(objects(), 0U);
    }
}

TEST_F(SftpFaults, AFrozenServerIsGivenUpAndFoundAgain) {
    ASSERT_TRUE(put(*direct_, 100));
    const auto quickly = SftpServer::open(config_, quick());
    ASSERT_TRUE(quickly->stat("a/object"));
    SftpServer::get().tell("pause");
    const auto frozen = quickly->stat("a/object");
    SftpServer::get().tell("resume");
    ASSERT_FALSE(frozen);
    expect_error(frozen.error(), Errc::timed_out, reason::kDestinationUnreachable);
    EXPECT_TRUE(quickly->stat("a/object"));
}

TEST_F(SftpFaults, AStopRequestEndsAWaitAtOnce) {
    ASSERT_TRUE(put(*direct_, 100));
    std::stop_source stop;
    StorageContext context;
    context.stop = stop.get_token();
    TcpHarm harm{Kind::stall};
    harm.from_server = 100;
    Storage& storage = harmed(first(harm, 1000), context);
    const std::int64_t began = steady_ms();
    std::jthread stopper([&] {
        while (proxy_->connections() == 0) std::this_thread::yield();
        stop.request_stop();
    });
    const auto seen = storage.stat("a/object");
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code(), Errc::cancelled) << seen.error().message();
    EXPECT_LT(steady_ms() - began, 5000);
}

TEST_F(SftpFaults, AServerThatIsNotThereIsUnreachable) {
    SftpConfig config = config_;
    {
        const RawServer gone([](int) {});
        config.port = gone.port();
    }
    const auto seen = SftpServer::open(config, quick())->stat("x");
    ASSERT_FALSE(seen);
    expect_error(seen.error(), Errc::unavailable, reason::kDestinationUnreachable);
    config.host = "no-such-host.invalid";
    expect_error(SftpServer::open(config, quick())->stat("x").error(), Errc::unavailable,
                 reason::kDestinationUnreachable);
}

TEST_F(SftpFaults, AFailingSourceLeavesNothing) {
    FailingSource source(2 << 20);
    const auto stored = direct_->put("a/object", source, {});
    ASSERT_FALSE(stored);
    EXPECT_THAT(stored.error().message(), HasSubstr("the producer died"));
    EXPECT_EQ(objects(), 0U);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(SftpFaults, LeftoversAreHiddenAndSweptWhenTheyAreOld) {
    ASSERT_TRUE(put(*direct_, 10));
    const std::string folder = config_.base_path + "/.backstay-unfinished/";
    std::ofstream(folder + "dead") << "half";
    EXPECT_EQ(objects(), 1U);
    ListQuery top;
    top.one_level = true;
    EXPECT_EQ(direct_->list(top).value_or({}).folders, std::vector<std::string>{"a/"});
    EXPECT_EQ(direct_->put(".backstay-unfinished/x", *std::make_unique<StringSource>("x"), {}).error().code(),
              Errc::invalid);
    EXPECT_EQ(direct_->sweep_leftovers(SystemClock().now_ms() - 3'600'000).value_or(99), 0U);
    EXPECT_EQ(direct_->sweep_leftovers(SystemClock().now_ms() + 3'600'000).value_or(99), 1U);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(SftpFaults, ALostFolderIsNoEmptyDestination) {
    ASSERT_TRUE(put(*direct_, 10));
    std::filesystem::rename(config_.base_path, config_.base_path + "-moved");
    for (const auto& error : {direct_->list({}).error(), direct_->stat("a/object").error()}) {
        expect_error(error, Errc::unavailable, reason::kDestinationUnreachable);
    }
    std::filesystem::rename(config_.base_path + "-moved", config_.base_path);
    EXPECT_TRUE(direct_->stat("a/object"));
}

TEST_F(SftpFaults, AFolderOfOthersIsRefused) {
    SftpConfig config = config_;
    config.base_path = "/proc/backstay";
    const auto seen = SftpServer::open(config, quick())->list({});
    ASSERT_FALSE(seen);
    EXPECT_NE(seen.error().code(), Errc::not_found) << seen.error().message();
    ASSERT_TRUE(put(*direct_, 10));
    ::chmod((config_.base_path + "/a").c_str(), 0500);
    const auto stored = put(*direct_, 10, "a/another");
    const auto removed = direct_->remove("a/object");
    ::chmod((config_.base_path + "/a").c_str(), 0700);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::denied, reason::kDestinationAuthFailed);
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Errc::denied, reason::kDestinationAuthFailed);
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(SftpFaults, AFileWhereAFolderIsWantedIsAConflict) {
    ASSERT_TRUE(put(*direct_, 10, "a"));
    const auto stored = put(*direct_, 10, "a/b");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), Errc::conflict) << stored.error().message();
    EXPECT_EQ(direct_->stat("a/b").error().code(), Errc::not_found);
    ASSERT_TRUE(put(*direct_, 10, "c/d"));
    const auto over = put(*direct_, 10, "c");
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code(), Errc::conflict) << over.error().message();
    EXPECT_EQ(unfinished(), 0U);
}

TEST_F(SftpFaults, ANameThatAppearsMeanwhileIsNotReplaced) {
    // The other writer comes between our look and our rename.
    class Meddler final : public Source {
    public:
        explicit Meddler(std::function<void()> act) : act_(std::move(act)) {}
        Result<std::size_t> read(MutableByteSpan buffer) override {
            if (act_) std::exchange(act_, nullptr)();
            return inner_.read(buffer);
        }

    private:
        std::function<void()> act_;
        PatternSource inner_{5000, 5};
    };
    Meddler other([&] { ASSERT_TRUE(direct_->put("a/object", *std::make_unique<StringSource>("theirs"), {})); });
    const auto second = SftpServer::open(config_);
    const auto stored = second->put("a/object", other, {});
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), Errc::conflict) << stored.error().message();
    Meddler same([&] { ASSERT_TRUE(put(*direct_, 5000, "a/same")); });
    EXPECT_TRUE(second->put("a/same", same, {}));
    expect_stored(5000, "a/same");
}

TEST_F(SftpFaults, AFullDiskIsCalledFull) {
    SftpServer small("small");
    const auto storage = SftpServer::open(small.new_folder());
    EXPECT_LE(storage->free_bytes().value_or(std::nullopt).value_or(0), 4U << 20);
    const auto announced = put(*storage, 8 << 20);
    ASSERT_FALSE(announced);
    expect_error(announced.error(), Errc::exhausted, reason::kDestinationFull);
    PatternSource unannounced(8 << 20, 5);
    const auto stored = storage->put("a/object", unannounced, {});
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::exhausted, reason::kDestinationFull);
    EXPECT_TRUE(storage->list({}).value_or({}).objects.empty());
    EXPECT_TRUE(put(*storage, 1 << 20)) << "the half object still takes the room";
}

TEST_F(SftpFaults, OnlyThePinnedServerIsSpokenTo) {
    SftpServer& server = SftpServer::get();
    SftpConfig config = config_;
    config.host_key = "SHA256:" + std::string(43, 'A');
    const auto stranger = SftpServer::open(config, quick())->stat("x");
    ASSERT_FALSE(stranger);
    expect_error(stranger.error(), Errc::denied, reason::kDestinationUnreachable);
    EXPECT_THAT(stranger.error().message(), HasSubstr(config_.host_key));
    // Any one of the keys that the server has.
    for (const char* type : {"ed25519", "ecdsa"}) {
        std::ifstream file(server.value("SFTP_KNOWN_HOSTS"));
        for (std::string line; std::getline(file, line);) {
            if (line.find(type) == std::string::npos) continue;
            config.host_key = line.substr(line.find(' ') + 1);
            EXPECT_TRUE(SftpServer::open(config, quick())->list({})) << type;
        }
    }
    config.host_key = server.value("SFTP_HOST_KEY_ECDSA");
    EXPECT_TRUE(SftpServer::open(config, quick())->list({}));
    config = config_;
    config.port = static_cast<std::uint16_t>(std::stoi(server.value("SFTP_RSA_PORT")));
    const auto rsa = SftpServer::open(config, quick())->stat("x");
    ASSERT_FALSE(rsa);
    expect_error(rsa.error(), Errc::denied, reason::kDestinationUnreachable);
    EXPECT_THAT(rsa.error().hint(), HasSubstr("RSA alone does not do"));
}

TEST_F(SftpFaults, AServerThatChangedItsKeyIsRefused) {
    SftpServer own;
    const SftpConfig config = own.new_folder();
    ASSERT_TRUE(probe_storage(*SftpServer::open(config)));
    own.tell("rehost");
    Result<ListPage> seen = SftpServer::open(config, quick())->list({});
    for (const std::int64_t until = steady_ms() + 10'000; seen || seen.error().transient();) {
        ASSERT_LT(steady_ms(), until);
        seen = SftpServer::open(config, quick())->list({});
    }
    expect_error(seen.error(), Errc::denied, reason::kDestinationUnreachable);
}

TEST_F(SftpFaults, EachKindOfKeyLogsInAndAStrangerDoesNot) {
    // Opening a key with a passphrase takes a busy machine seconds.
    SftpServer& server = SftpServer::get();
    SftpConfig config = config_;
    config.private_key = server.file("SFTP_KEY_ECDSA");
    EXPECT_TRUE(SftpServer::open(config)->list({}));
    config.private_key = server.file("SFTP_KEY_LOCKED");
    config.private_key_passphrase = server.value("SFTP_PASSPHRASE");
    EXPECT_TRUE(SftpServer::open(config)->list({}));
    config.private_key_passphrase = "guessed wrong";
    const auto locked = SftpServer::open(config)->list({});
    ASSERT_FALSE(locked);
    expect_error(locked.error(), Errc::denied, reason::kDestinationAuthFailed);
    EXPECT_THAT(locked.error().message(), Not(HasSubstr("guessed")));
    config.private_key = server.file("SFTP_KEY_STRANGER");
    expect_error(SftpServer::open(config)->list({}).error(), Errc::denied, reason::kDestinationAuthFailed);
    config.private_key.clear();
    config.password = "guessed wrong";
    const auto refused = SftpServer::open(config)->list({});
    ASSERT_FALSE(refused);
    expect_error(refused.error(), Errc::denied, reason::kDestinationAuthFailed);
    EXPECT_THAT(refused.error().message(), Not(HasSubstr("guessed")));
}

TEST_F(SftpFaults, APrivateAddressIsKeptFromThoseWhoMayNotReachIt) {
    StorageContext context = quick();
    context.address_rule = http::AddressRule::only_public;
    const auto seen = SftpServer::open(config_, context)->list({});
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code(), Errc::denied);
    EXPECT_TRUE(seen.error().facts().contains("address_refused"));
}

}  // namespace backstay::testing
