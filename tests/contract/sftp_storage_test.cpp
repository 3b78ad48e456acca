#include "tests/contract/storage_contract.h"
#include "tests/support/memory_use.h"
#include "tests/support/sftp_server.h"
#include "tests/support/tcp_proxy.h"

namespace backstay::testing {

namespace {

std::unique_ptr<Storage> make_with_key() { return SftpServer::open(SftpServer::get().new_folder()); }

// A folder of awkward name below the one that the login leads to, a password, and known_hosts.
std::unique_ptr<Storage> make_with_password() {
    static int made = 0;
    SftpConfig config = SftpServer::get().new_folder();
    config.private_key.clear();
    config.password = SftpServer::get().value("SFTP_PASSWORD");
    config.host_key.clear();
    config.known_hosts = SftpServer::get().file("SFTP_KNOWN_HOSTS");
    config.base_path = fmt::format("caf\xC3\xA9 [{}] *+1/", ++made);
    return SftpServer::open(config);
}

// Over a line that delivers little at a time.
std::unique_ptr<Storage> make_slow() {
    static std::vector<std::unique_ptr<TcpProxy>> proxies;
    SftpConfig config = SftpServer::get().new_folder();
    const TcpHarm slow{TcpHarm::Kind::slow, 0, 0};
    proxies.push_back(std::make_unique<TcpProxy>(config.port, [slow](int) { return slow; }));
    config.port = proxies.back()->port();
    return SftpServer::open(config);
}

std::string name_of(const ::testing::TestParamInfo<StorageMaker>& info) { return info.param.name; }

}  // namespace

TEST(SftpMemory, HoldsOneWindowWhateverTheSize) {
    const auto storage = make_with_key();
    ASSERT_TRUE(probe_storage(*storage));
    const std::uint64_t before = forget_peak();
    PatternSource source(100ULL << 20, 1);
    const auto stored = storage->put("large", source, {});
    ASSERT_TRUE(stored) << stored.error().message();
    PatternSink sink(1);
    ASSERT_TRUE(storage->get("large", {}, sink));
    EXPECT_EQ(sink.position(), 100ULL << 20);
    EXPECT_EQ(sink.wrong(), 0U);
    const std::uint64_t grown = peak_memory() - before;
    RecordProperty("grown_bytes", std::to_string(grown));
    EXPECT_LE(grown, 12ULL << 20);
}

INSTANTIATE_TEST_SUITE_P(OpenSsh, StorageContract,
                         ::testing::Values(StorageMaker{"key", make_with_key},
                                           StorageMaker{"password", make_with_password},
                                           StorageMaker{"slow_line", make_slow}),
                         name_of);

}  // namespace backstay::testing
