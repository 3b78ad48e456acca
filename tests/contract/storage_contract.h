// The one suite that every Storage passes. A driver's test includes this file and instantiates StorageContract with a
// maker of empty storages (docs/adding-a-storage.md).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "storage/storage.h"
#include "tests/support/streams.h"

namespace backstay::testing {

struct StorageMaker {
    std::string name;
    // An empty storage. Called twice in one test, it answers two views of different, empty places.
    std::function<std::unique_ptr<Storage>()> make;
};

inline void PrintTo(const StorageMaker& maker, std::ostream* out) { *out << maker.name; }

class StorageContract : public ::testing::TestWithParam<StorageMaker> {
protected:
    void SetUp() override {
        storage_ = GetParam().make();
        ASSERT_NE(storage_, nullptr);
    }

    Result<ObjectInfo> put(const std::string& key, const std::string& text) {
        StringSource source(text);
        PutOptions options;
        options.expected_bytes = text.size();
        return storage_->put(key, source, options);
    }
    void put_ok(const std::string& key, const std::string& text = "x") {
        const auto stored = put(key, text);
        ASSERT_TRUE(stored) << key << ": " << stored.error().message();
    }
    Result<std::string> get(const std::string& key, ByteRange range = {}) {
        StringSink sink(1 << 20);
        TRY(storage_->get(key, range, sink));
        return sink.take();
    }
    std::vector<std::string> keys(ListQuery query = {}) {
        std::vector<std::string> all;
        for (int pages = 0; pages < 1000; ++pages) {
            const auto page = storage_->list(query);
            EXPECT_TRUE(page) << page.error().message();
            if (!page) break;
            EXPECT_LE(page->objects.size() + page->folders.size(), query.max_entries);
            std::vector<std::string> here = page->folders;
            for (const ObjectInfo& object : page->objects) here.push_back(object.key);
            std::sort(here.begin(), here.end());
            all.insert(all.end(), here.begin(), here.end());
            if (page->next.empty()) return all;
            query.continue_after = page->next;
        }
        ADD_FAILURE() << "the listing does not end";
        return all;
    }

    std::unique_ptr<Storage> storage_;
};

TEST_P(StorageContract, GivesBackWhatWasPut) {
    const auto stored = put("v1/a/object.bin", std::string("hello\0world", 11));
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->key, "v1/a/object.bin");
    EXPECT_EQ(stored->size_bytes, 11U);
    EXPECT_EQ(get("v1/a/object.bin").value_or("-"), std::string("hello\0world", 11));
    const auto about = storage_->stat("v1/a/object.bin");
    ASSERT_TRUE(about) << about.error().message();
    EXPECT_EQ(about->size_bytes, 11U);
    EXPECT_NEAR(static_cast<double>(about->modified_at), static_cast<double>(SystemClock().now_ms()), 120'000.0);
}

TEST_P(StorageContract, KeepsAnEmptyObject) {
    put_ok("empty", "");
    EXPECT_EQ(get("empty").value_or("-"), "");
    const auto about = storage_->stat("empty");
    ASSERT_TRUE(about);
    EXPECT_EQ(about->size_bytes, 0U);
}

TEST_P(StorageContract, CallsAMissingObjectNotFound) {
    const auto about = storage_->stat("no/such");
    ASSERT_FALSE(about);
    EXPECT_EQ(about.error().code(), Errc::not_found);
    EXPECT_EQ(about.error().reason(), reason::kRemoteMissing);
    const auto text = get("no/such");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), Errc::not_found);
    EXPECT_EQ(text.error().reason(), reason::kRemoteMissing);
}

TEST_P(StorageContract, TakesTheSameContentTwice) {
    put_ok("again", "same");
    put_ok("again", "same");
    EXPECT_EQ(get("again").value_or("-"), "same");
}

TEST_P(StorageContract, RefusesOtherContentUnderATakenKey) {
    put_ok("taken", "first");
    for (const char* other : {"other", "a longer one", ""}) {
        const auto second = put("taken", other);
        ASSERT_FALSE(second) << other;
        EXPECT_EQ(second.error().code(), Errc::conflict) << second.error().message();
        EXPECT_THAT(second.error().message(), ::testing::HasSubstr("taken"));
    }
    EXPECT_EQ(get("taken").value_or("-"), "first");
}

TEST_P(StorageContract, LeavesNothingWhenTheSourceFails) {
    for (const std::uint64_t good : {0ULL, 1000ULL, 20ULL << 20}) {
        FailingSource source(good);
        const auto stored = storage_->put("broken/object", source, {});
        ASSERT_FALSE(stored);
        EXPECT_THAT(stored.error().message(), ::testing::HasSubstr("the producer died"));
        EXPECT_EQ(stored.error().code(), Errc::io);
    }
    EXPECT_FALSE(storage_->stat("broken/object"));
    EXPECT_TRUE(keys().empty());
}

TEST_P(StorageContract, StreamsALargeObjectBothWays) {
    constexpr std::uint64_t kSize = (20ULL << 20) + 12'345;
    PatternSource source(kSize, 3);
    const auto stored = storage_->put("large", source, {});
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->size_bytes, kSize);
    PatternSink whole(3);
    const auto got = storage_->get("large", {}, whole);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(whole.position(), kSize);
    EXPECT_EQ(whole.wrong(), 0U);
    PatternSource again(kSize, 3);
    EXPECT_TRUE(storage_->put("large", again, {}));
    PatternSource other(kSize, 4);
    const auto conflict = storage_->put("large", other, {});
    ASSERT_FALSE(conflict);
    EXPECT_EQ(conflict.error().code(), Errc::conflict);
}

TEST_P(StorageContract, ReadsRanges) {
    put_ok("ten", "0123456789");
    EXPECT_EQ(get("ten", {3, 4}).value_or("-"), "3456");
    EXPECT_EQ(get("ten", {7, 0}).value_or("-"), "789");
    EXPECT_EQ(get("ten", {7, 100}).value_or("-"), "789");
    EXPECT_EQ(get("ten", {0, 1}).value_or("-"), "0");
    for (const ByteRange range : {ByteRange{10, 0}, ByteRange{11, 1}, ByteRange{1000, 5}}) {
        const auto text = get("ten", range);
        ASSERT_FALSE(text) << range.first;
        EXPECT_EQ(text.error().code(), Errc::invalid) << text.error().message();
    }
}

TEST_P(StorageContract, ReportsAFailingSinkAsItIs) {
    put_ok("ten", "0123456789");
    StringSink tiny(3);
    const auto got = storage_->get("ten", {}, tiny);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), Errc::exhausted);
    EXPECT_NE(got.error().reason(), reason::kDestinationFull);
}

TEST_P(StorageContract, RemovesAndStaysQuietAboutTheAbsent) {
    put_ok("a/b/c");
    ASSERT_TRUE(storage_->remove("a/b/c"));
    EXPECT_FALSE(storage_->stat("a/b/c"));
    EXPECT_TRUE(keys().empty());
    EXPECT_TRUE(storage_->remove("a/b/c"));
    EXPECT_TRUE(storage_->remove("never/was"));
    put_ok("a/b/c", "after");
    EXPECT_EQ(get("a/b/c").value_or("-"), "after");
}

TEST_P(StorageContract, RemovesManyAtOnce) {
    std::vector<std::string> doomed;
    for (const char* key : {"a&b/<1>", "a b/c+d", "a%2Fb", "d\xC3\xA9", "plain", "never-was"}) doomed.push_back(key);
    for (const std::string& key : doomed) {
        if (key != "never-was") put_ok(key);
    }
    put_ok("kept");
    const auto removed = storage_->remove_all(doomed);
    ASSERT_TRUE(removed) << removed.error().message();
    EXPECT_EQ(keys(), std::vector<std::string>{"kept"});
    EXPECT_TRUE(storage_->remove_all({}));
    EXPECT_TRUE(storage_->remove_all({"kept"}));
    EXPECT_TRUE(keys().empty());
    EXPECT_EQ(storage_->remove_all({"fine", "../bad"}).error().code(), Errc::invalid);
}

TEST_P(StorageContract, ListsInTheOrderOfWholeKeys) {
    const std::vector<std::string> sorted = {"a",  "b-c", "b/a",  "b/c/d", "b/d",
                                             "b0", "c/1", "c/10", "c/2",   "d\xC3\xA9"};
    for (auto key = sorted.rbegin(); key != sorted.rend(); ++key) put_ok(*key);
    EXPECT_EQ(keys(), sorted);
    for (const std::size_t size : {1U, 2U, 3U, 7U, 100U}) {
        ListQuery query;
        query.max_entries = size;
        EXPECT_EQ(keys(query), sorted) << "page of " << size;
    }
    ListQuery part;
    part.prefix = "b/";
    EXPECT_EQ(keys(part), (std::vector<std::string>{"b/a", "b/c/d", "b/d"}));
    part.prefix = "c/1";
    EXPECT_EQ(keys(part), (std::vector<std::string>{"c/1", "c/10"}));
    part.prefix = "nothing/";
    EXPECT_TRUE(keys(part).empty());
}

TEST_P(StorageContract, FoldsDeeperKeysIntoFolders) {
    for (const char* key : {"v1/a/1", "v1/a/2", "v1/b", "v1/c/x/y", "v1/c0", "w"}) put_ok(key);
    const std::vector<std::string> expected = {"v1/a/", "v1/b", "v1/c/", "v1/c0"};
    for (const std::size_t size : {1U, 2U, 3U, 4U, 50U}) {
        ListQuery query;
        query.prefix = "v1/";
        query.one_level = true;
        query.max_entries = size;
        EXPECT_EQ(keys(query), expected) << "page of " << size;
    }
    ListQuery top;
    top.one_level = true;
    EXPECT_EQ(keys(top), (std::vector<std::string>{"v1/", "w"}));
    top.prefix = "v1/c";
    EXPECT_EQ(keys(top), (std::vector<std::string>{"v1/c/", "v1/c0"}));
}

TEST_P(StorageContract, ListsSizeTimeAndTagAsStatDoes) {
    put_ok("one/object", "12345");
    const auto page = storage_->list({});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->objects.size(), 1U);
    const auto about = storage_->stat("one/object");
    ASSERT_TRUE(about);
    EXPECT_EQ(page->objects[0].size_bytes, 5U);
    EXPECT_EQ(page->objects[0].etag, about->etag);
    // HTTP dates know whole seconds only.
    EXPECT_NEAR(static_cast<double>(page->objects[0].modified_at), static_cast<double>(about->modified_at), 1000.0);
}

TEST_P(StorageContract, KeepsAwkwardKeysApart) {
    const std::vector<std::string> awkward = {
        "a b/c+d",          "a%20b",   "a%2Fb", "q?x=1&y=2",  "h#frag", "tilde~-_.dot",
        "(paren)!*'",       "at@:;,",  "$=",    "\"quoted\"", "<x>&y",  "caf\xC3\xA9/\xE2\x82\xAC",
        "\xF0\x9F\x90\x98", ".hidden", "...",   "trailing ",  " lead",  "[br]{ace}|^`"};
    for (const std::string& key : awkward) put_ok(key, "content of " + key);
    for (const std::string& key : awkward) EXPECT_EQ(get(key).value_or("-"), "content of " + key);
    std::vector<std::string> sorted = awkward;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(keys(), sorted);
    for (const std::string& key : awkward) EXPECT_TRUE(storage_->remove(key)) << key;
    EXPECT_TRUE(keys().empty());
}

TEST_P(StorageContract, RefusesKeysThatAreNone) {
    for (const std::string key : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\\b", "a\nb", "a\x7F", "\xFF",
                                  "\xC0\xAF", "\xED\xA0\x80", "\xC2\x85"}) {
        const auto stored = put(key, "x");
        ASSERT_FALSE(stored) << key;
        EXPECT_EQ(stored.error().code(), Errc::invalid);
        EXPECT_EQ(storage_->stat(key).error().code(), Errc::invalid);
        EXPECT_EQ(storage_->remove(key).error().code(), Errc::invalid);
        EXPECT_EQ(get(key).error().code(), Errc::invalid);
    }
    EXPECT_EQ(put(std::string(1025, 'k'), "x").error().code(), Errc::invalid);
    EXPECT_TRUE(keys().empty());
}

TEST_P(StorageContract, SweepsWithoutTouchingObjects) {
    put_ok("kept");
    const auto swept = storage_->sweep_leftovers(SystemClock().now_ms() + 3'600'000);
    ASSERT_TRUE(swept) << swept.error().message();
    EXPECT_EQ(*swept, 0U);
    EXPECT_EQ(keys(), std::vector<std::string>{"kept"});
}

TEST_P(StorageContract, PassesTheProbeAndIsCleanAfterwards) {
    const auto probed = probe_storage(*storage_);
    EXPECT_TRUE(probed) << probed.error().message();
    EXPECT_TRUE(keys().empty());
}

}  // namespace backstay::testing
