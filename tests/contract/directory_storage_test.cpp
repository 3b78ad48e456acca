#include "storage/directory/directory_storage.h"

#include "storage/retrying.h"
#include "tests/contract/storage_contract.h"
#include "tests/support/flaky_storage.h"
#include "tests/support/memory_storage.h"
#include "tests/support/temp_dir.h"

namespace backstay::testing {

namespace {

// Keeps the folders of one process until its end.
std::unique_ptr<Storage> make_directory() {
    static std::vector<std::unique_ptr<TempDir>> folders;
    folders.push_back(std::make_unique<TempDir>());
    Destination destination;
    destination.name = "test";
    destination.type = "local";
    destination.local = LocalConfig{folders.back()->path() + "/objects", 0};
    StorageContext context;
    context.local_roots = {folders.back()->path()};
    context.rate_limit = [] { return std::uint64_t{0}; };
    auto storage = open_storage(destination, context);
    return storage ? std::move(storage).value() : nullptr;
}

std::unique_ptr<Storage> make_memory() { return std::make_unique<MemoryStorage>(); }

// A store that stumbles, behind the retry that hides it.
std::unique_ptr<Storage> make_retried() {
    return retry_calls(std::make_unique<FlakyStorage>(make_memory(), 2), RetryPolicy{3, 1, 2}, {});
}

std::string name_of(const ::testing::TestParamInfo<StorageMaker>& info) { return info.param.name; }

}  // namespace

INSTANTIATE_TEST_SUITE_P(Host, StorageContract,
                         ::testing::Values(StorageMaker{"directory", make_directory},
                                           StorageMaker{"memory", make_memory}, StorageMaker{"retried", make_retried}),
                         name_of);

}  // namespace backstay::testing
