#include "tests/contract/storage_contract.h"
#include "tests/support/memory_use.h"
#include "tests/support/s3_server.h"

namespace backstay::testing {

namespace {

std::unique_ptr<Storage> open(S3Config config) {
    Destination destination;
    destination.name = "test";
    destination.type = "s3_compatible";
    destination.s3 = std::move(config);
    auto storage = open_storage(destination, StorageContext{});
    EXPECT_TRUE(storage) << storage.error().message();
    return storage ? std::move(storage).value() : nullptr;
}

std::unique_ptr<Storage> make_path_style() { return open(S3Server::get().new_bucket()); }

// TLS with a private CA, the bucket in the host name, and a prefix that is awkward to encode.
std::unique_ptr<Storage> make_virtual_host() {
    S3Config config = S3Server::get().new_bucket(true);
    config.path_style = false;
    config.prefix = "back ups/caf\xC3\xA9+1";
    return open(config);
}

std::string name_of(const ::testing::TestParamInfo<StorageMaker>& info) { return info.param.name; }

}  // namespace

TEST(S3Memory, HoldsOnePartWhateverTheSize) {
    const auto storage = make_path_style();
    ASSERT_TRUE(probe_storage(*storage));
    const std::uint64_t before = forget_peak();
    PatternSource source(100ULL << 20, 1);
    const auto stored = storage->put("large", source, {});
    ASSERT_TRUE(stored) << stored.error().message();
    const std::uint64_t grown = peak_memory() - before;
    RecordProperty("grown_bytes", std::to_string(grown));
    EXPECT_LE(grown, 12ULL << 20);
}

INSTANTIATE_TEST_SUITE_P(CephRgw, StorageContract,
                         ::testing::Values(StorageMaker{"path_style", make_path_style},
                                           StorageMaker{"tls_virtual_host_prefix", make_virtual_host}),
                         name_of);

}  // namespace backstay::testing
