// What the tests of S3's failures share: a fresh bucket seen directly and through a proxy that does harm.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "storage/s3/listing.h"
#include "tests/contract/quick.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/s3_server.h"
#include "tests/support/streams.h"

namespace backstay::testing {

// Two full parts and a bit.
inline constexpr std::uint64_t kThreeParts = (16ULL << 20) + 4321;

class S3Faults : public ::testing::Test {
protected:
    S3Faults() : config_(S3Server::get().new_bucket()), direct_(open(config_)) {}

    static std::unique_ptr<Storage> open(const S3Config& config, const StorageContext& context = quick()) {
        Destination destination;
        destination.name = "test";
        destination.type = "s3_compatible";
        destination.s3 = config;
        auto storage = open_storage(destination, context);
        EXPECT_TRUE(storage) << storage.error().message();
        return storage ? std::move(storage).value() : nullptr;
    }

    // The bucket through a proxy that asks `choose`.
    Storage& harmed(FaultProxy::Chooser choose, const StorageContext& context = quick()) {
        const std::string& endpoint = config_.endpoint;
        const auto port = static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1)));
        proxy_ = std::make_unique<FaultProxy>(port, std::move(choose));
        S3Config config = config_;
        config.endpoint = fmt::format("http://s3.localhost:{}", proxy_->port());
        harmed_ = open(config, context);
        return *harmed_;
    }

    // A fault for the first `times` requests that `which` names.
    static FaultProxy::Chooser first(int times, std::function<bool(const ProxiedRequest&)> which, Fault fault) {
        return [=, left = times](const ProxiedRequest& request) mutable {
            if (!which(request) || left == 0) return Fault{};
            --left;
            return fault;
        };
    }
    static FaultProxy::Chooser always(std::function<bool(const ProxiedRequest&)> which, Fault fault) {
        return first(-1, std::move(which), std::move(fault));
    }
    static bool part(const ProxiedRequest& request) { return request.is_part(); }
    static bool begin(const ProxiedRequest& request) { return request.is_begin(); }
    static bool complete(const ProxiedRequest& request) { return request.is_complete(); }
    static bool whole(const ProxiedRequest& request) { return request.is_put(); }
    static bool read(const ProxiedRequest& request) { return request.method == "GET"; }

    static Result<ObjectInfo> put(Storage& storage, std::uint64_t size, const std::string& key = "object") {
        PatternSource source(size, 5);
        return storage.put(key, source, {});
    }
    void expect_stored(std::uint64_t size, const std::string& key = "object") {
        PatternSink sink(5);
        const auto got = direct_->get(key, {}, sink);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(sink.position(), size);
        EXPECT_EQ(sink.wrong(), 0U);
        expect_no_leftovers();
    }
    void expect_nothing() {
        const auto page = direct_->list({});
        ASSERT_TRUE(page) << page.error().message();
        EXPECT_TRUE(page->objects.empty());
        expect_no_leftovers();
    }
    void expect_no_leftovers() { EXPECT_EQ(unfinished(), 0U); }
    std::uint64_t unfinished() {
        s3::Connection connection = S3Server::connect(config_);
        std::uint64_t count = 0;
        const auto look = [&count](const s3::UnfinishedUpload&) {
            ++count;
            return false;
        };
        EXPECT_TRUE(s3::abort_uploads(connection, "", look, false));
        return count;
    }

    S3Config config_;
    std::unique_ptr<Storage> direct_;
    std::unique_ptr<FaultProxy> proxy_;
    std::unique_ptr<Storage> harmed_;
};

inline void expect_error(const Error& error, Errc code, std::string_view why) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.message();
    EXPECT_EQ(error.reason(), why) << error.message();
}

}  // namespace backstay::testing
